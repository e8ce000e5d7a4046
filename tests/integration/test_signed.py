"""Signed verifications by the command line: made, believed, asked about, taken back."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci_lib.records.chain import check
from ci_lib.records.statement import envelope, signable
from tests.integration.conftest import Require
from tests.integration.test_process import Project, project

__all__ = ["project"]

VERIFIER = "https://ci.example/acme/hello/staging"
STAGING = "tier: staging, owner: team-hello"
SIGNING = f", signing: {{key_env: SIGNING_KEY, verifier: '{VERIFIER}'}}"


@dataclass
class Signed:
    """The demo's project, whose staging signs; each job has the variables that its environment would have."""

    project: Project
    policy: str

    @property
    def key(self) -> str:
        return (self.project.folder / "staging.key").read_text()

    def run(self, *words: str, ends: int = 0, **env: str) -> str:
        given = {"SIGNING_KEY": self.key} if "staging" in words else {}
        given |= {"DEPLOY_ACTIONS_POLICY": self.policy} if self.policy else {}
        return self.project.run(*words, ends=ends, **given | env)

    def json(self, *words: str, ends: int = 0, **env: str) -> dict[str, Any]:
        text = self.run(*words, "--json", ends=ends, **env)
        found: dict[str, Any] = json.loads(text[text.index("{") :])
        return found

    def deploy(self, version: str, ends: int = 0, **env: str) -> dict[str, Any]:
        return self.json("deploy", "--environment", "staging", "--version", version, ends=ends, **env)

    def promote(self, version: str, ends: int = 0, **env: str) -> dict[str, Any]:
        return self.json("promote", "--environment", "production", "--version", version, ends=ends, **env)


@pytest.fixture
def signed(project: Project) -> Signed:
    said = project.run(
        *("keys", "new", "--out", "staging.key", "--environment", "staging", "--verifier", VERIFIER)
    )
    _, _, keys = said.partition("deploy.yml:\n\n")
    project.edit("deploy.yml", STAGING, STAGING + SIGNING)
    return Signed(project=project, policy=f"version: 1\nkeys:\n{keys}")


def test_what_staging_signed_is_promoted_and_nothing_else(signed: Signed) -> None:
    signed.deploy("v1")
    found = signed.promote("v1")
    assert any("signature" in row["name"] and row["mark"] == "passed" for row in found["rule"])
    signed.project.edit("deploy.yml", SIGNING, "")
    signed.deploy("v3")
    refused = signed.promote("v3", ends=10)
    assert refused["reason_code"] == "not_verified"
    signed.project.edit("deploy.yml", STAGING, STAGING + SIGNING)
    assert signed.deploy("v3")["status"] == "unchanged"
    assert signed.promote("v3")["status"] == "deployed"
    assert signed.key.splitlines()[1] not in signed.run("history")


def test_a_job_that_should_sign_and_has_no_key_changes_nothing(signed: Signed) -> None:
    found = signed.deploy("v1", ends=2, SIGNING_KEY="")
    assert "SIGNING_KEY is not set" in found["failure"]["cause"]
    assert signed.project.processes() == []
    found = signed.deploy("v1", ends=2, SIGNING_KEY="hunter2hunter2")
    assert "no private key" in found["failure"]["cause"]
    assert "hunter2" not in json.dumps(found)
    assert signed.project.processes() == []


def test_a_release_is_asked_about_and_revoked(signed: Signed) -> None:
    signed.deploy("v1")
    ask = ("verified", "check", "--environment", "production", "--version")
    assert "production would take it" in signed.run(*ask, "v1")
    assert "SHA256:" in signed.run("verified", "show")
    signed.run(
        *("verified", "revoke", "--environment", "staging", "--version", "v1"),
        *("--reason", "a hole in its TLS library"),
    )
    found = signed.json(*ask, "v1", ends=10)
    assert found["reason_code"] == "not_verified"
    records = signed.project.folder / "records"
    assert (records / "verified" / "hello.txt").read_text() == "none\n"
    log = (records / "deploy-history.log").read_text()
    assert "| revoke | v1 | success | a hole in its TLS library" in log
    assert signed.deploy("v1")["status"] == "unchanged"
    assert (records / "verified" / "hello.txt").read_text() == "none\n"
    assert "v1 was revoked in staging" in signed.promote("v1", ends=10)["failure"]["cause"]
    assert "Nothing is verified yet" in signed.run("verified", "show", "--environment", "staging")


def test_the_policy_on_the_host_counts_whatever_the_variable_says(require: Require, signed: Signed) -> None:
    require("unshare", None if os.geteuid() == 0 and shutil.which("unshare") else "needs root")
    signed.deploy("v1")
    (signed.project.folder / "etc").mkdir()
    strict = "environments: {production: {requires: {environment: staging, soak: 4h}}}\n"
    (signed.project.folder / "etc" / "policy.yml").write_text(signed.policy + strict)
    Path("/etc/deploy-actions").mkdir(exist_ok=True)
    within = ("unshare", "-m", "sh", "-c", 'mount --bind etc /etc/deploy-actions && exec "$@"', "sh")
    ask = ("verified", "check", "--environment", "production", "--version", "v1")
    assert "would take it" in signed.run(*ask)
    for variable in (signed.policy, "version: 1\n", ""):
        said = signed.project.run(*ask, ends=10, before=within, DEPLOY_ACTIONS_POLICY=variable)
        assert "soak is 4 h" in said
        assert "signature" in said


def test_openssl_and_ssh_keygen_say_the_same(require: Require, signed: Signed, tmp_path: Path) -> None:
    for program in ("openssl", "ssh-keygen"):
        require(program, None if shutil.which(program) else f"{program} is not installed")
    signed.deploy("v1")
    ledger = (signed.project.folder / "records" / "stacks" / "hello" / "ledger.jsonl").read_bytes()
    record = next(check(ledger).newest_first('"signatures":['))
    (seal,) = record.signatures
    (tmp_path / "pub.pem").write_bytes(_ran("openssl", "pkey", "-pubout", stdin=signed.key.encode()))
    (tmp_path / "sig.b64").write_text(seal["sig"])
    (tmp_path / "sig").write_bytes(_ran("openssl", "base64", "-d", "-A", "-in", str(tmp_path / "sig.b64")))
    (tmp_path / "signed").write_bytes(signable(record.payload))
    said = _ran(
        *("openssl", "dgst", "-sha256", "-verify", str(tmp_path / "pub.pem")),
        *("-signature", str(tmp_path / "sig"), str(tmp_path / "signed")),
    )
    assert said == b"Verified OK\n"
    line = _ran("ssh-keygen", "-i", "-m", "PKCS8", "-f", str(tmp_path / "pub.pem"))
    (tmp_path / "pub.ssh").write_bytes(line)
    assert seal["keyid"] in _ran("ssh-keygen", "-lf", str(tmp_path / "pub.ssh")).decode()
    assert json.loads(envelope(record.payload, record.signatures))["signatures"] == [seal]


def _ran(*argv: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=20).stdout
