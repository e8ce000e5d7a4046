import http.client
import socket
import ssl

import pytest
import requests

from ci_lib.ports.net_http import Question, proxies, reason


def question(url: str, env: dict[str, str], connect_to: tuple[str, int] | None = None) -> Question:
    return Question(method="GET", url=url, headers={}, timeout=1, limit=1, connect_to=connect_to, env=env)


PROXY = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "http://old:1", "NO_PROXY": "in.example,10.1.2.3"}


def test_the_proxies_of_the_environment_count() -> None:
    found = {"https": "http://proxy:3128", "http": "http://old:1"}
    assert proxies(question("https://ghcr.io/v2/", PROXY)) == found
    assert proxies(question("https://ghcr.io/v2/", {})) == {}


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:5000/", "http://127.9.9.9/", "http://[::1]:5000/", "http://localhost/"),
        *("https://a.localhost/", "https://x.in.example/", "https://10.1.2.3/"),
    ],
)
def test_loopback_and_what_is_excepted_need_no_proxy(url: str) -> None:
    assert proxies(question(url, PROXY)) == {}


def test_a_forwarded_port_needs_no_proxy() -> None:
    assert proxies(question("https://ghcr.io/", PROXY, ("127.0.0.1", 4000))) == {}


def test_headers_and_environment_are_not_shown() -> None:
    asked = question("https://ghcr.io/", {"TOKEN": "s3cret"})
    assert "s3cret" not in repr(asked)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "its name cannot be resolved"),
        (http.client.RemoteDisconnected("Remote end closed"), "the connection was closed without an answer"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "TLS does not come about (no reason given)"),
        (requests.exceptions.InvalidURL("http://x/?token=s3cret"), "InvalidURL"),
    ],
)
def test_the_cause_within_is_told_and_not_the_librarys_text(cause: Exception, said: str) -> None:
    wrapped = requests.ConnectionError("HTTPConnectionPool: url: /?token=s3cret", cause)
    found = reason(wrapped if isinstance(cause, OSError) and cause.strerror else cause)
    assert found == said
