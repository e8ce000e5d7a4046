"""A stack whose staging signs: production believes that alone, and cosign finds the proof in the registry."""

from pathlib import Path

from ci_lib.domain.images import Reference
from ci_lib.images.registry import resolve_digest
from ci_lib.signing.keys import new_key, public_of
from tests.integration.conftest import Require
from tests.integration.proofs import Repository, verify, verify_bundle
from tests.integration.shop import Shop
from tests.lab.components import Registry
from tests.lab.images import Hello, cosign_program

VERIFIER = "https://ci.example/acme/shop/staging"


def test_what_staging_verified_lies_signed_and_kept_beside_its_image(
    require: Require, tmp_path: Path, project: str, hello: Hello, registry: Registry
) -> None:
    require("cosign", None if cosign_program() else "cosign is not installed")
    key = new_key()
    (tmp_path / "staging.pub").write_text(public_of(key))
    public = "".join(f"      {line}\n" for line in public_of(key).splitlines())
    bound = f"    verifier: {VERIFIER}\n    environments: [staging]\n"
    policy = f"version: 1\nkeys:\n  - public_key: |\n{public}{bound}"
    staging = {
        "signing": {"key_env": "SIGNING_KEY", "verifier": VERIFIER},
        "registry": {"attach": True, "keep": True},
    }
    shop = Shop(folder=tmp_path, project=project, hello=hello, small=True, staging=staging)
    shop.env = {"SIGNING_KEY": key, "DEPLOY_ACTIONS_POLICY": policy}
    repository = Repository(hello.reference("acme/web"))

    shop.release("sha-1")
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert first.status == "deployed", first
    assert first.result["notes"] == []
    digest = first.result["images"][0]["digest"]
    for check in (verify, verify_bundle):
        assert check(repository, digest, tmp_path / "staging.pub", home=tmp_path).returncode == 0
    kept = Reference(repository=repository.name, tag=f"verified-shop-{digest[7:19]}")
    assert resolve_digest(kept, **repository.tools) == digest

    # Verified once more with the same verdict: the ledger has another record, the registry the same proof.
    assert shop.call("deploy", "staging", "--version", "sha-1").status == "unchanged"
    assert (len(repository.attached(digest)), len(repository.bundles(digest))) == (1, 1)
    assert shop.call("promote", "production", "--version", "sha-1").status == "deployed"

    # To cosign a proof is one whatever it says; the gate reads the verdict.
    shop.stack = {"checks": [{"name": "never", "type": "script", "command": ["false"]}]}
    shop.write()
    shop.release("sha-2")
    failed = shop.call("deploy", "staging", "--version", "sha-2")
    assert failed.result["reason_code"] == "rolled_back", failed
    digest = failed.result["images"][0]["digest"]
    done = verify(repository, digest, tmp_path / "staging.pub", home=tmp_path)
    assert (done.returncode, len(repository.attached(digest))) == (0, 1), done.stderr
    refused = shop.call("promote", "production", "--image", f"web={repository.name}@{digest}")
    assert (refused.code, refused.result["reason_code"]) == (10, "not_verified"), refused
    assert "FAILED" in refused.out or "failed" in refused.result["failure"]["cause"], refused
    assert shop.version("production", "nginx") == "web-sha-1"
    shop.stack = {}
    shop.write()

    with registry.stopped():  # which changes nothing about what serves, and was seen to
        later = shop.call("post-verify", "staging")
    assert later.status == "passed", later
    (note,) = later.result["notes"]
    assert "web: its proof is not in the registry" in note
