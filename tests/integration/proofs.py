"""Signed statements and images for the tests of what lies beside an image in a registry."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ci_lib.domain.images import Reference
from ci_lib.images.attach import attach, attached
from ci_lib.images.attach_bundle import attach_bundle, attached_bundles
from ci_lib.images.credentials import Credential
from ci_lib.images.keep import keep
from ci_lib.images.push import WritableRegistry
from ci_lib.images.registry import MEDIA_TYPES
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.system import SystemClock
from tests.fake_registry import sha
from tests.lab.images import cosign_program

VSA = "https://slsa.dev/verification_summary/v1"
_STATEMENT = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Key:
    """A P-256 key; `public` is the file that cosign is given."""

    private: ec.EllipticCurvePrivateKey
    public: Path

    @classmethod
    def make(cls, path: Path) -> Self:
        private = ec.generate_private_key(ec.SECP256R1())
        path.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return cls(private, path)

    def sign(self, digest: str, result: str = "PASSED", kind: str = VSA) -> bytes:
        """A DSSE envelope of a verification summary about an image."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "shop/api", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": kind,
            "predicate": {
                "verifier": {"id": "https://ci.example/verified-image/v1"},
                "timeVerified": "2026-01-02T03:04:05Z",
                "resourceUri": "deploy://shop/staging",
                "policy": {"uri": "deploy.yml"},
                "verificationResult": result,
                "verifiedLevels": ["STAGING"],
            },
        }
        payload = json.dumps(statement).encode()
        # The bytes that are signed: https://github.com/secure-systems-lab/dsse, "PAE".
        signed = b"DSSEv1 %d %s %d %s" % (len(_STATEMENT), _STATEMENT.encode(), len(payload), payload)
        return envelope(payload, self.private.sign(signed, ec.ECDSA(hashes.SHA256())))


def envelope(payload: bytes, signature: bytes) -> bytes:
    content = {
        "payloadType": _STATEMENT,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(content).encode()


def tampered(signed: bytes) -> bytes:
    """An envelope with its signature, whose payload says PASSED instead of FAILED."""
    content = json.loads(signed)
    payload = base64.b64decode(content["payload"]).replace(b'"FAILED"', b'"PASSED"')
    return envelope(payload, base64.b64decode(content["signatures"][0]["sig"]))


@dataclass(frozen=True)
class Repository:
    """A repository of the laboratory's registry, with the functions that are tested bound to it."""

    name: str
    login: Credential | None = None

    @property
    def tools(self) -> dict[str, Any]:
        return {
            "net": RequestsNet({}),
            "credentials": lambda _host: self.login,
            "clock": SystemClock(),
        }

    @property
    def registry(self) -> WritableRegistry:
        return WritableRegistry(self.name, **self.tools)

    def image(self, version: str, *, tag: str, architecture: str = "amd64") -> str:
        """Push an image of one small layer, as a program would; returns its digest."""
        layer, registry = f"layer of {version} for {architecture}".encode(), self.registry
        config = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}}
        described = [
            {"mediaType": kind, "digest": registry.put_blob(body), "size": len(body)}
            for kind, body in (
                ("application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
                ("application/vnd.oci.image.layer.v1.tar", layer),
            )
        ]
        return self.put(tag, MEDIA_TYPES[2], {"config": described[0], "layers": described[1:]})

    def index(self, *digests: str, tag: str) -> str:
        """Push an index of images that are there."""
        entries = [
            {
                "mediaType": MEDIA_TYPES[2],
                "digest": digest,
                "size": len(self.registry.manifest(self.at(digest)).body),
                "platform": {"os": "linux", "architecture": f"lab{number}"},
            }
            for number, digest in enumerate(digests)
        ]
        return self.put(tag, MEDIA_TYPES[0], {"manifests": entries})

    def put(self, tag: str, kind: str, content: dict[str, Any]) -> str:
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, **content}).encode()
        self.registry.put_manifest(tag, kind, body)
        return sha(body)

    def at(self, digest: str) -> Reference:
        return Reference(repository=self.name, digest=digest)

    def attach(self, digest: str, signed: bytes, kind: str = VSA) -> None:
        attach(self.at(digest), signed, kind, **self.tools)

    def attached(self, digest: str, kind: str = VSA) -> tuple[bytes, ...]:
        return attached(self.at(digest), kind, **self.tools)

    def bundle(self, digest: str, signed: bytes, kind: str = VSA) -> None:
        attach_bundle(self.at(digest), signed, kind, **self.tools)

    def bundles(self, digest: str, kind: str = VSA) -> tuple[bytes, ...]:
        return attached_bundles(self.at(digest), kind, **self.tools)

    def keep(self, digest: str, tag: str) -> tuple[str, ...]:
        return keep(self.at(digest), tag, **self.tools)


def cosign(*args: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run cosign as a person would, with a home of its own and no way to the outside."""
    program = cosign_program()
    assert program is not None
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "HTTPS_PROXY": "http://127.0.0.1:1"}
    env["COSIGN_PASSWORD"] = ""  # of a key that it makes
    return subprocess.run(
        [program, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def verify(
    repository: Repository, digest: str, public: Path, *more: str | Path, home: Path, kind: str = VSA
) -> subprocess.CompletedProcess[str]:
    """What docs/how-to/registry-proofs.md tells people to run, and plain HTTP for the laboratory."""
    known = ("--key", public, "--type", kind, "--insecure-ignore-tlog")
    name = f"{repository.name}@{digest}"
    return cosign("verify-attestation", *known, *more, "--allow-http-registry", name, home=home)


def verify_bundle(
    repository: Repository, digest: str, public: Path, *more: str | Path, home: Path, kind: str = VSA
) -> subprocess.CompletedProcess[str]:
    """The same for what lies there as a bundle: cosign 2 has to be told, and wants a trusted root to open."""
    root = home / "no-root.json"
    root.write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    options = ("--new-bundle-format", "--trusted-root", root)
    return verify(repository, digest, public, *options, *more, home=home, kind=kind)
