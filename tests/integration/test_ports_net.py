"""HTTP and TCP against servers that behave and servers that do not."""

import contextlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ci_lib.ports.net import RequestsNet
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.integration.ports_support import echo, http_server
from tests.lab.components import free_port, run


def get(url: str, **other: object) -> Response:
    return RequestsNet().request("GET", url, **{"timeout": 10, **other})  # type: ignore[arg-type]


def test_an_answer_has_status_lower_case_headers_and_body() -> None:
    with http_server(echo) as port:
        answer = get(f"http://127.0.0.1:{port}/a?b=c", headers={"Accept": "x/y", "User-Agent": "mine"})
    asked = json.loads(answer.body)
    assert answer.status == 200
    assert answer.headers["x-twice"] == "Kept As It Is"
    assert (asked["path"], asked["accept"], asked["user-agent"]) == ("/a?b=c", "x/y", "mine")
    assert asked["accept-encoding"] == "identity"


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b"\x00\xff{}"])
def test_a_body_is_sent_as_it_is(method: str, body: bytes) -> None:
    def give_back(request: BaseHTTPRequestHandler) -> None:
        sent = request.rfile.read(int(request.headers["Content-Length"]))
        request.send_response(201)
        request.send_header("X-Kind", f"{request.command} {request.headers['Content-Type']}")
        request.send_header("Content-Length", str(len(sent)))
        request.end_headers()
        request.wfile.write(sent)

    with http_server(give_back) as port:
        url = f"http://127.0.0.1:{port}/"
        answer = RequestsNet().request(method, url, headers={"Content-Type": "a/b"}, body=body, timeout=10)
    assert (answer.status, answer.body, answer.headers["x-kind"]) == (201, body, f"{method} a/b")


def test_the_answer_to_head_has_no_body() -> None:
    with http_server(echo) as port:
        answer = RequestsNet().request("HEAD", f"http://127.0.0.1:{port}/", timeout=10)
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    def away(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "/end")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with http_server(away) as port:
        answer = get(f"http://127.0.0.1:{port}/start")
    assert (answer.status, answer.headers["location"]) == (302, "/end")


def test_passwords_of_a_netrc_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("default login user password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with http_server(echo) as port:
        assert "authorization" not in json.loads(get(f"http://127.0.0.1:{port}/").body)


def test_a_proxy_is_not_asked_for_loopback() -> None:
    net = RequestsNet({"http_proxy": "http://127.0.0.1:1"})
    with http_server(echo) as port:
        assert net.request("GET", f"http://127.0.0.1:{port}/", timeout=10).status == 200
        assert net.request("GET", f"http://localhost:{port}/", timeout=10).status == 200


def test_a_proxy_is_asked_for_all_else() -> None:
    with http_server(echo) as port:
        net = RequestsNet({"HTTP_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": "inside.example"})
        answer = net.request("GET", "http://outside.example/ready", timeout=10)
        assert json.loads(answer.body)["path"] == "http://outside.example/ready"
        with pytest.raises(Unreachable):
            net.request("GET", "http://host.inside.example/", timeout=10)


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 10_000)


def test_a_body_without_end_is_cut_off() -> None:
    with http_server(endless) as port:
        assert get(f"http://127.0.0.1:{port}/", limit=123_456).body == b"x" * 123_456


def dripping_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(60):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.1)


def dripping_headers(request: BaseHTTPRequestHandler) -> None:
    for _ in range(60):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.1)


def silence(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


@pytest.mark.parametrize("answer", [dripping_body, dripping_headers, silence])
def test_an_answer_has_to_be_complete_in_time(answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with http_server(answer) as port:
        began = time.monotonic()
        with pytest.raises(TimedOut, match=rf"http://127.0.0.1:{port}/x did not answer .*within 0\.6 s"):
            get(f"http://user:s3cret@127.0.0.1:{port}/x?token=s3cret", timeout=0.6)
        assert time.monotonic() - began < 2


def test_a_fault_names_the_place_without_credentials() -> None:
    port = free_port()
    with pytest.raises(Unreachable) as caught:
        get(f"http://user:s3cret@127.0.0.1:{port}/ready?token=s3cret")
    assert str(caught.value) == f"http://127.0.0.1:{port}/ready cannot be reached: Connection refused"


def test_a_server_that_hangs_up_is_told() -> None:
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)

    with http_server(hang_up) as port, pytest.raises(Unreachable, match="closed without an answer"):
        get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a b/", "http://x.invalid/"]
)
def test_a_url_that_is_none_is_a_fault(url: str) -> None:
    with pytest.raises(Unreachable):
        get(url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of shop.example, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-days", "2", "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"),
        *("-keyout", folder / "key", "-out", folder / "cert"),
    )
    (folder / "both").write_bytes((folder / "cert").read_bytes() + (folder / "key").read_bytes())
    return folder / "both"


@contextlib.contextmanager
def https_server(certificate: Path) -> Iterator[int]:
    """An HTTPS server with this certificate; it needs the name in TLS to be the right one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as tls:
                    tls.recv(65_536)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_tls_checks_the_name_in_the_url_wherever_it_connects(certificate: Path) -> None:
    net = RequestsNet({"REQUESTS_CA_BUNDLE": str(certificate)})
    with https_server(certificate) as port:
        place = ("127.0.0.1", port)
        assert net.request("GET", "https://shop.example/", timeout=10, connect_to=place).body == b"ok"
        with pytest.raises(Unreachable, match=r"certificate is not trusted .*other\.example"):
            net.request("GET", "https://other.example/", timeout=10, connect_to=place)
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            get("https://shop.example/", connect_to=place)


def test_the_http_library_is_loaded_only_when_it_is_used() -> None:
    script = "import sys, ci_lib.ports.net; sys.exit('requests' in sys.modules)"
    run(sys.executable, "-c", script, env={**os.environ, "PYTHONPATH": "."})


def test_talk_sends_and_returns_what_comes_first() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            with listener.accept()[0] as line:
                line.sendall(b"S" + line.recv(100) + b"more")
                time.sleep(0.5)

        thread = threading.Thread(target=serve)
        thread.start()
        assert RequestsNet().talk("127.0.0.1", port, send=b"hello", receive=6, timeout=5) == b"Shello"
        thread.join()


def test_talk_to_somebody_silent_takes_no_longer_than_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert RequestsNet().talk("127.0.0.1", port, send=b"", receive=0, timeout=5) == b""
        with pytest.raises(TimedOut, match=rf"127.0.0.1:{port} did not answer .*within 0\.3 s"):
            RequestsNet().talk("127.0.0.1", port, send=b"x", receive=1, timeout=0.3)


def test_talk_to_nobody_is_told() -> None:
    for place in (("127.0.0.1", free_port()), ("no-such-host.invalid", 80), ("127.0.0.1", 99_999)):
        with pytest.raises(Unreachable, match=re.escape(f"{place[0]}:{place[1]} cannot be reached")):
            RequestsNet().talk(*place, send=b"", receive=0, timeout=10)
