"""What is attached to an image in a real registry: real cosign accepts it, and what it refuses."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Image, Reference, Release
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import Denied
from ci_lib.records.statement import envelope, spelt, statement
from ci_lib.signing.keys import Signer, new_key, public_of
from tests.fakes import START
from tests.integration.conftest import Require
from tests.integration.proofs import VSA, Key, Repository, cosign, tampered, verify
from tests.lab.components import PASSWORD, USER, Registry, run
from tests.lab.images import cosign_program
from tests.lab.tokens import Tokens
from tests.unit.records.test_ledger import Book

VERIFIER = "https://ci.example/acme/shop/staging"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


@pytest.fixture(scope="module")
def store(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that no engine has to know."""
    require("registry", Registry.missing())
    require("cosign", None if cosign_program() else "cosign is not installed")
    with Registry(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def repository(store: Registry, request: pytest.FixtureRequest) -> Repository:
    """One that no other test uses."""
    return Repository(f"{store.address}/{request.node.name.lower()[:100].rstrip('_')}")


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key.make(tmp_path / "staging.pub")


@pytest.fixture
def other(tmp_path: Path) -> Key:
    return Key.make(tmp_path / "other.pub")


def test_cosign_accepts_what_was_attached(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    signed = key.sign(digest)
    repository.attach(digest, signed)
    done = verify(repository, digest, key.public, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(signed)
    assert repository.attached(digest) == (signed,)


def test_cosign_accepts_the_statement_that_a_verification_is_signed_as(
    repository: Repository, tmp_path: Path
) -> None:
    digest, private = repository.image("1", tag="v1"), new_key()
    image = Image(name="api", repository=repository.name, digest=digest, tag="v1")
    book = Book().frame("staging")
    said = statement(book.verified(START, Release(images=(image,)), (), passed=True), verifier=VERIFIER)
    seals = Signer(private=private).signed(said)["signatures"]
    repository.attach(digest, envelope(spelt(said), tuple(seals)))  # type: ignore[arg-type]
    public = tmp_path / "staging.pub"
    public.write_text(public_of(private))
    done = verify(repository, digest, public, home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_cosign_refuses_another_key_another_type_and_another_image(
    repository: Repository, key: Key, other: Key, tmp_path: Path
) -> None:
    digest, second, bare = (repository.image(name, tag=name) for name in ("v1", "v2", "v3"))
    repository.attach(digest, key.sign(digest))
    repository.attach(second, key.sign(digest))
    refused = {
        "signature": verify(repository, digest, other.public, home=tmp_path),
        "predicate type": verify(repository, digest, key.public, kind=TEST_RESULT, home=tmp_path),
        "no matching subject digest": verify(repository, second, key.public, home=tmp_path),
        "no matching attestations": verify(repository, bare, key.public, home=tmp_path),
    }
    for said, done in refused.items():
        assert done.returncode != 0, said
        assert said in done.stderr, done.stderr


def test_cosign_refuses_a_payload_that_was_changed(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    repository.attach(digest, tampered(key.sign(digest, "FAILED")))
    done = verify(repository, digest, key.public, home=tmp_path)
    assert done.returncode != 0
    assert "signature" in done.stderr


def test_two_types_lie_side_by_side(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    summary, result = key.sign(digest), key.sign(digest, kind=TEST_RESULT)
    repository.attach(digest, summary)
    repository.attach(digest, result, TEST_RESULT)
    for kind, signed in ((VSA, summary), (TEST_RESULT, result)):
        done = verify(repository, digest, key.public, kind=kind, home=tmp_path)
        assert (done.returncode, json.loads(done.stdout)) == (0, json.loads(signed)), done.stderr
        assert repository.attached(digest, kind) == (signed,)


def test_what_is_attached_twice_changes_nothing(repository: Repository, key: Key) -> None:
    digest = repository.image("1", tag="v1")
    signed = key.sign(digest)
    repository.attach(digest, signed)
    once = run("curl", "-s", listing(repository, digest))
    repository.attach(digest, signed)
    assert run("curl", "-s", listing(repository, digest)) == once


def test_cosign_does_not_look_at_the_verdict(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    repository.attach(digest, key.sign(digest, "FAILED"))
    assert verify(repository, digest, key.public, home=tmp_path).returncode == 0
    repository.attach(digest, key.sign(digest))
    done = verify(repository, digest, key.public, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2, "both are printed"


def test_with_a_policy_cosign_wants_every_verdict_to_be_the_one(
    repository: Repository, key: Key, tmp_path: Path
) -> None:
    digest, policy = repository.image("1", tag="v1"), tmp_path / "passed.cue"
    wanted = 'predicate: {verificationResult: "PASSED", resourceUri: "deploy://shop/staging"}\n'
    policy.write_text(wanted)
    repository.attach(digest, key.sign(digest))
    done = verify(repository, digest, key.public, "--policy", policy, home=tmp_path)
    assert done.returncode == 0, done.stderr
    policy.write_text(wanted.replace("staging", "elsewhere"))
    assert verify(repository, digest, key.public, "--policy", policy, home=tmp_path).returncode != 0
    policy.write_text(wanted)
    repository.attach(digest, key.sign(digest, "FAILED"))
    assert verify(repository, digest, key.public, "--policy", policy, home=tmp_path).returncode != 0


def test_what_cosign_attached_stays_and_is_read(repository: Repository, key: Key, tmp_path: Path) -> None:
    digest = repository.image("1", tag="v1")
    repository.attach(digest, key.sign(digest))
    predicate = tmp_path / "predicate.json"
    predicate.write_text('{"verificationResult": "PASSED"}')
    cosign("generate-key-pair", "--output-key-prefix", str(tmp_path / "theirs"), home=tmp_path)
    name = f"{repository.name}@{digest}"
    options = ("--key", tmp_path / "theirs.key", "--tlog-upload=false", "--allow-http-registry", "--yes")
    done = cosign("attest", *options, "--type", VSA, "--predicate", predicate, name, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(repository.attached(digest)) == 2
    repository.attach(digest, key.sign(digest, "FAILED"))
    assert len(repository.attached(digest)) == 3
    assert verify(repository, digest, tmp_path / "theirs.pub", home=tmp_path).returncode == 0
    assert verify(repository, digest, key.public, home=tmp_path).returncode == 0


def test_of_eight_who_attach_at_once_nobody_loses_anything(
    repository: Repository, key: Key, tmp_path: Path
) -> None:
    digest = repository.image("1", tag="v1")
    signed = [key.sign(digest) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: repository.attach(digest, each), signed))
    assert sorted(repository.attached(digest)) == sorted(signed)
    done = verify(repository, digest, key.public, home=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8), done.stderr


# --- garbage collection ---------------------------------------------------------------------------------


@pytest.fixture
def cleaned(require: Require, tmp_path: Path) -> Iterator[Registry]:
    """A registry of its own, in which a garbage collection hurts nobody else."""
    require("registry", Registry.missing())
    with Registry(tmp_path / "cleaned") as running:
        yield running


def test_a_garbage_collection_leaves_what_is_kept_and_what_is_attached_to_it(
    cleaned: Registry, key: Key
) -> None:
    repository = Repository(f"{cleaned.address}/shop/api")
    verified, lost = repository.image("1", tag="v"), repository.image("2", tag="v")
    repository.image("3", tag="v")
    repository.keep(verified, "verified-shop-1")
    signed = key.sign(verified)
    repository.attach(verified, signed)
    cleaned.collect_garbage()
    assert not holds(repository, lost), "this is what happens to what nobody keeps"
    assert holds(repository, verified)
    assert repository.attached(verified) == (signed,)


def test_a_garbage_collection_leaves_each_platform_of_an_index_that_is_kept(cleaned: Registry) -> None:
    kept, lost = Repository(f"{cleaned.address}/shop/kept"), Repository(f"{cleaned.address}/shop/lost")
    made = {}
    for repository in (kept, lost):
        children = [repository.image("1", tag="part", architecture=name) for name in ("amd64", "arm64")]
        made[repository] = (repository.index(*children, tag="v1"), children)
        repository.image("2", tag="part")
    index, children = made[kept]
    tags = kept.keep(index, "verified-shop-1")
    assert len(tags) == 3
    kept.image("2", tag="v1")
    cleaned.collect_garbage()
    assert [holds(kept, digest) for digest in (index, *children)] == [True, True, True]
    index, children = made[lost]
    found = [holds(lost, digest) for digest in (index, *children)]
    assert found == [True, False, False], "the tag of an index is not enough"


def test_a_keep_tag_is_put_again_and_never_moved(repository: Repository) -> None:
    first, second = repository.image("1", tag="v1"), repository.image("2", tag="v2")
    assert repository.keep(first, "verified-shop-1") == ("verified-shop-1",)
    assert repository.keep(first, "verified-shop-1") == ("verified-shop-1",)
    with pytest.raises(DeployError, match="was not moved"):
        repository.keep(second, "verified-shop-1")
    named = Reference(repository=repository.name, tag="verified-shop-1")
    assert repository.registry.manifest(named).digest == first


def holds(repository: Repository, digest: str) -> bool:
    """Whether an image and all its blobs are there."""
    document = repository.registry.find(repository.at(digest))
    if document is None:
        return False
    content = json.loads(document.body)
    blobs = [content["config"], *content["layers"]] if "layers" in content else []
    return all(repository.registry.blob(repository.at(blob["digest"])) for blob in blobs)


# --- logins ---------------------------------------------------------------------------------------------


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    with Tokens(tmp_path, {"staging": {"pull", "push"}, "reader": {"pull"}}) as running:
        yield running


def test_who_may_push_attaches_and_who_may_only_pull_is_told(
    require: Require, tokens: Tokens, key: Key, tmp_path: Path
) -> None:
    require("registry", Registry.missing())
    with Registry(tmp_path / "closed", auth=tokens.auth) as running:
        name = f"{running.address}/shop/api"
        staging = Repository(name, Credential(username="staging", password="password-of-staging"))
        reader = Repository(name, Credential(username="reader", password="password-of-reader"))
        digest = staging.image("1", tag="v1")
        signed = key.sign(digest)
        staging.attach(digest, signed)
        staging.keep(digest, "verified-shop-1")
        assert set(tokens.asked) == {("staging", "repository:shop/api:pull,push")}
        assert reader.attached(digest) == (signed,)
        assert tokens.asked[-1] == ("reader", "repository:shop/api:pull")
        for refused in (
            lambda: reader.attach(digest, key.sign(digest)),
            lambda: reader.keep(digest, "verified-shop-2"),
        ):
            with pytest.raises(Denied, match=r"does not take .*401 Unauthorized") as caught:
                refused()
            assert "may reader push to shop/api" in caught.value.hint
        assert staging.attached(digest) == (signed,)


def test_a_password_is_enough_where_there_are_no_tokens(require: Require, key: Key, tmp_path: Path) -> None:
    require("registry", Registry.missing())
    with Registry(tmp_path / "closed", login=True) as running:
        name = f"{running.address}/shop/api"
        known = Repository(name, Credential(username=USER, password=PASSWORD))
        digest = known.image("1", tag="v1")
        signed = key.sign(digest)
        known.attach(digest, signed)
        assert known.attached(digest) == (signed,)
        with pytest.raises(DeployError, match="there are no credentials"):
            Repository(name).attach(digest, signed)


def listing(repository: Repository, digest: str) -> str:
    host, _, path = repository.name.partition("/")
    return f"http://{host}/v2/{path}/manifests/{digest.replace(':', '-')}.att"
