"""What the tests of the ports share."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ci_lib.ports.ssh import SshHost
from tests.lab.components import Sshd


def ssh_host(sshd: Sshd, **other: object) -> SshHost:
    """The laboratory's SSH host, or with other arguments one that is wrong in some way."""
    key = Path(sshd.private_key).read_text()
    given = {"known_hosts": str(sshd.known_hosts), "port": sshd.port, "private_key": key, **other}
    return SshHost("web1", f"{sshd.user}@{sshd.host}", **given)  # type: ignore[arg-type]


@contextlib.contextmanager
def http_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """A server that answers everything by `answer`; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                answer(self)

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - what the base class looks for

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def echo(request: BaseHTTPRequestHandler) -> None:
    """Answer with what was asked, as JSON."""
    body = json.dumps({"path": request.path, **{k.lower(): v for k, v in request.headers.items()}}).encode()
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.send_header("X-Twice", "Kept As It Is")
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def is_zombie(pid: str) -> bool:
    """Whether nothing but an entry in the process table is left, or not even that."""
    with contextlib.suppress(OSError):
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True
