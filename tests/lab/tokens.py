"""A token server beside a registry, as the large registries have one: who may do what in which repository.

Protocol: https://distribution.github.io/distribution/spec/auth/token/.
"""

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.lab.components import HOST

_NAME = "lab"


class Tokens:
    """Answers on a port of its own. `rights`: user → actions that are granted, of those asked for.

    The password of everybody is `password-of-NAME`; `asked` holds what a token was asked for: user and scope.
    """

    def __init__(self, folder: Path, rights: dict[str, set[str]]) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _certificate(self._key)
        self._bundle = folder / "tokens.pem"
        self._bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self._rights = rights
        self.asked: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())

    @property
    def auth(self) -> dict[str, Any]:
        """What a registry is configured with."""
        realm = f"http://{HOST}:{self._server.server_port}/token"
        place = {"realm": realm, "service": _NAME, "issuer": _NAME, "rootcertbundle": str(self._bundle)}
        return {"token": place}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = tokens._answer(self.path, self.headers.get("Authorization", ""))
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def _answer(self, path: str, login: str) -> tuple[int, dict[str, Any]]:
        user, _, password = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")
        if user not in self._rights or password != f"password-of-{user}":
            return 401, {}
        scope = parse_qs(urlsplit(path).query).get("scope", [""])[0]
        self.asked.append((user, scope))
        _, name, actions = scope.split(":")
        # As the large ones do: what is not allowed is left out, without a word.
        granted = [action for action in actions.split(",") if action in self._rights[user]]
        return 200, {"token": self._token(user, {"type": "repository", "name": name, "actions": granted})}

    def _token(self, user: str, access: dict[str, Any]) -> str:
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._chain]}
        claims = {"iss": _NAME, "aud": _NAME, "sub": user, "nbf": now - 60, "exp": now + 300, "jti": "1"}
        text = ".".join(_packed(json.dumps(part).encode()) for part in (head, {**claims, "access": [access]}))
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_packed(signature)}"


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
