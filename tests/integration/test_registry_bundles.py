"""What is attached as a bundle in a registry: real cosign accepts it, what it refuses, and what stays."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_lib.domain.images import Image, Release
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import Denied
from ci_lib.records.statement import envelope, spelt, statement
from ci_lib.signing.keys import Signer, new_key, public_of
from tests.fakes import START
from tests.integration.conftest import Require
from tests.integration.proofs import VSA, Key, Repository, cosign, tampered, verify, verify_bundle
from tests.lab.components import Registry
from tests.lab.images import cosign_program
from tests.lab.listing_registry import ListingRegistry
from tests.lab.tokens import Tokens
from tests.unit.records.test_ledger import Book

VERIFIER = "https://ci.example/acme/shop/staging"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


@pytest.fixture(scope="module")
def store(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that keeps no list of what refers to an image."""
    require("registry", Registry.missing())
    require("cosign", None if cosign_program() else "cosign is not installed")
    with Registry(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(params=["index", "list"])
def repository(store: Registry, request: pytest.FixtureRequest) -> Iterator[Repository]:
    """One that no other test uses, in a registry of either kind."""
    if request.param == "index":
        yield Repository(f"{store.address}/{request.node.originalname.lower()[:100]}")
        return
    with ListingRegistry() as listing:
        yield Repository(listing.name)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key.make(tmp_path / "staging.pub")


@pytest.fixture
def other(tmp_path: Path) -> Key:
    return Key.make(tmp_path / "other.pub")


def test_cosign_accepts_the_bundle_of_what_was_attached(
    repository: Repository, key: Key, tmp_path: Path
) -> None:
    digest = repository.image("1", tag="v1")
    signed = key.sign(digest)
    assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode != 0
    repository.bundle(digest, signed)
    done = verify_bundle(repository, digest, key.public, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [json.loads(one) for one in repository.bundles(digest)] == [json.loads(signed)]
    assert verify(repository, digest, key.public, home=tmp_path).returncode != 0, "the other layout is empty"


def test_cosign_accepts_the_statement_that_a_verification_is_signed_as(
    repository: Repository, tmp_path: Path
) -> None:
    digest, private = repository.image("1", tag="v1"), new_key()
    image = Image(name="api", repository=repository.name, digest=digest, tag="v1")
    book = Book().frame("staging")
    said = statement(book.verified(START, Release(images=(image,)), (), passed=True), verifier=VERIFIER)
    seals = Signer(private=private).signed(said)["signatures"]
    signed = envelope(spelt(said), tuple(seals))  # type: ignore[arg-type]
    public = tmp_path / "staging.pub"
    public.write_text(public_of(private))
    repository.attach(digest, signed)
    repository.bundle(digest, signed)
    for check in (verify, verify_bundle):
        done = check(repository, digest, public, home=tmp_path)
        assert done.returncode == 0, done.stderr
    assert repository.bundles(digest) == repository.attached(digest) == (signed,)


def test_cosign_accepts_the_bundle_of_an_index(repository: Repository, key: Key, tmp_path: Path) -> None:
    child = repository.image("1", tag="part")
    digest = repository.index(child, tag="v1")
    repository.bundle(digest, key.sign(digest))
    done = verify_bundle(repository, digest, key.public, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert verify_bundle(repository, child, key.public, home=tmp_path).returncode != 0


def test_cosign_refuses_another_key_another_type_and_another_image(
    repository: Repository, key: Key, other: Key, tmp_path: Path
) -> None:
    digest, second, bare = (repository.image(name, tag=name) for name in ("v1", "v2", "v3"))
    repository.bundle(digest, key.sign(digest))
    repository.bundle(second, key.sign(digest))
    refused = {
        "another key": verify_bundle(repository, digest, other.public, home=tmp_path),
        "another type": verify_bundle(repository, digest, key.public, kind=TEST_RESULT, home=tmp_path),
        "another image": verify_bundle(repository, second, key.public, home=tmp_path),
        "nothing": verify_bundle(repository, bare, key.public, home=tmp_path),
    }
    assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode == 0
    for said, done in refused.items():
        assert done.returncode != 0, said
        assert "unknown flag" not in done.stderr


def test_cosign_refuses_a_payload_that_was_changed(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    repository.bundle(digest, tampered(key.sign(digest, "FAILED")))
    assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode != 0
    repository.bundle(digest, key.sign(digest))
    assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode == 0


def test_two_types_lie_side_by_side(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    repository.bundle(digest, key.sign(digest))
    repository.bundle(digest, key.sign(digest, kind=TEST_RESULT), TEST_RESULT)
    for kind in (VSA, TEST_RESULT):
        done = verify_bundle(repository, digest, key.public, kind=kind, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(repository.bundles(digest, kind)) == 1


def test_with_a_policy_cosign_looks_at_the_verdict(
    repository: Repository, key: Key, tmp_path: Path
) -> None:
    failed, passed = (repository.image(name, tag=name) for name in ("v1", "v2"))
    repository.bundle(failed, key.sign(failed, "FAILED"))
    repository.bundle(passed, key.sign(passed))
    policy = tmp_path / "passed.cue"
    policy.write_text('predicate: {verificationResult: "PASSED", resourceUri: "deploy://shop/staging"}\n')
    assert verify_bundle(repository, failed, key.public, home=tmp_path).returncode == 0
    for digest, accepted in ((failed, False), (passed, True)):
        done = verify_bundle(repository, digest, key.public, "--policy", policy, home=tmp_path)
        assert (done.returncode == 0) == accepted, done.stderr


def test_what_is_attached_twice_changes_nothing(repository: Repository, key: Key) -> None:
    digest = repository.image("1", tag="v1")
    signed = key.sign(digest)
    for _ in range(2):
        repository.bundle(digest, signed)
    assert len(repository.bundles(digest)) == 1


@pytest.mark.parametrize("repository", ["index"], indirect=True)  # where one writer can undo another
def test_what_cosign_attached_stays_and_is_read(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    attest(repository, digest, home=tmp_path)
    repository.bundle(digest, key.sign(digest))
    attest(repository, digest, home=tmp_path)
    repository.bundle(digest, key.sign(digest, "FAILED"))
    assert len(repository.bundles(digest)) == 4
    for public in (key.public, tmp_path / "theirs.pub"):
        done = verify_bundle(repository, digest, public, home=tmp_path)
        assert done.returncode == 0, done.stderr


def test_of_eight_who_attach_at_once_nobody_loses_anything(
    repository: Repository, key: Key, tmp_path: Path
) -> None:
    digest = repository.image("1", tag="v1")
    signed = [key.sign(digest) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: repository.bundle(digest, each), signed))
    there = [json.loads(one)["signatures"] for one in repository.bundles(digest)]
    assert sorted(map(str, there)) == sorted(str(json.loads(one)["signatures"]) for one in signed)
    assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode == 0


# --- garbage collection ---------------------------------------------------------------------------------


def test_a_garbage_collection_leaves_our_bundles_and_those_of_cosign_are_no_hindrance(
    store: Registry, key: Key, tmp_path: Path
) -> None:
    with Registry(tmp_path / "cleaned") as cleaned:
        repository = Repository(f"{cleaned.address}/shop/api")
        digest = repository.image("1", tag="v1")
        attest(repository, digest, home=tmp_path)
        first, second = key.sign(digest), key.sign(digest)
        repository.bundle(digest, first)
        assert len(repository.bundles(digest)) == 2
        cleaned.collect_garbage()
        assert len(repository.bundles(digest)) == 1, "only a list names what cosign wrote"
        assert verify_bundle(repository, digest, key.public, home=tmp_path).returncode == 0
        assert verify_bundle(repository, digest, tmp_path / "theirs.pub", home=tmp_path).returncode != 0
        refused = attest(repository, digest, home=tmp_path, check=False)
        assert "MANIFEST_BLOB_UNKNOWN" in refused, "a list that names what is gone is not taken"
        repository.bundle(digest, second)
        assert len(repository.bundles(digest)) == 2
        attest(repository, digest, home=tmp_path)
        assert verify_bundle(repository, digest, tmp_path / "theirs.pub", home=tmp_path).returncode == 0


# --- logins ---------------------------------------------------------------------------------------------


def test_who_may_push_attaches_and_who_may_only_pull_is_told(
    store: Registry, key: Key, tmp_path: Path
) -> None:
    rights = {"staging": {"pull", "push"}, "reader": {"pull"}}
    with Tokens(tmp_path, rights) as tokens, Registry(tmp_path / "closed", auth=tokens.auth) as running:
        name = f"{running.address}/shop/api"
        staging = Repository(name, Credential(username="staging", password="password-of-staging"))
        reader = Repository(name, Credential(username="reader", password="password-of-reader"))
        digest = staging.image("1", tag="v1")
        staging.bundle(digest, key.sign(digest))
        assert set(tokens.asked) == {("staging", "repository:shop/api:pull,push")}
        assert len(reader.bundles(digest)) == 1
        assert tokens.asked[-1] == ("reader", "repository:shop/api:pull")
        with pytest.raises(Denied, match=r"does not take .*401 Unauthorized"):
            reader.bundle(digest, key.sign(digest))


def attest(repository: Repository, digest: str, *, home: Path, check: bool = True) -> str:
    """Attach a bundle as cosign does, with a key of its own; returns what it said."""
    if not (home / "theirs.key").exists():
        cosign("generate-key-pair", "--output-key-prefix", str(home / "theirs"), home=home)
    predicate = home / "predicate.json"
    predicate.write_text('{"verificationResult": "PASSED"}')
    signing = ("--key", home / "theirs.key", "--tlog-upload=false", "--new-bundle-format", "--yes")
    saying = ("--type", VSA, "--predicate", predicate, "--allow-http-registry")
    done = cosign("attest", *signing, *saying, f"{repository.name}@{digest}", home=home)
    assert (done.returncode == 0) == check, done.stderr
    return done.stderr
