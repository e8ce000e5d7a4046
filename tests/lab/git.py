"""git remotes: bare repositories, and an HTTP server before them that can misbehave as networks do."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.lab.components import HOST, run

CLEAN = {
    **{name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Kim" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "kim@example.org" for role in ("AUTHOR", "COMMITTER")},
}
"""An environment in which git knows who commits, and nothing of this machine's user."""


def git(folder: Path, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> str:
    """Standard output of git in a folder, without the last line feed."""
    argv, given = ["git", *words], {**CLEAN, **(env or {})}
    done = subprocess.run(argv, cwd=folder, env=given, input=stdin, capture_output=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{argv} ended with {done.returncode}\n{done.stderr.decode()}")
    return done.stdout.decode(errors="replace").rstrip("\n")


def bare(folder: Path) -> Path:
    """An empty repository that can be pushed to, also by HTTP."""
    run("git", "init", "--quiet", "--bare", folder)
    git(folder, "config", "http.receivepack", "true")
    return folder


def hook(repository: Path, name: str, script: str) -> None:
    """Have the repository run a shell script on each push."""
    path = repository / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class GitHttp:
    """`git http-backend` for the repositories below `root`; `login` is `user:password`, empty for nobody's.

    `hold` names what is not answered, `lose` what is done once and its answer thrown away: "upload" or
    "receive", with "-refs" for the question before it; `held` is set when that happened. So many are let
    through `before_losing` one. `hold` is "lost": what was lost also leaves its client waiting. `moved`:
    every request is sent to that address instead. `seen` are the Authorization headers that came.
    """

    def __init__(self, root: Path, *, login: str = "") -> None:
        self.root = root
        self.login = login
        self.hold = ""
        self.lose = ""
        self.before_losing = 0
        self.moved = ""
        self.held = threading.Event()
        self.free = threading.Event()
        self.seen: list[str] = []
        self.asked: list[str] = []

    def url(self, repository: Path) -> str:
        return f"http://{HOST}:{self.port}/{repository.name}"

    @contextmanager
    def serving(self) -> Iterator["GitHttp"]:
        lab = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with suppress(ConnectionError):
                    lab._answer(self)

            do_POST = do_GET  # noqa: N815 - as the base class wants it

            def log_message(self, *args: object) -> None:
                pass

        with ThreadingHTTPServer((HOST, 0), Handler) as server:
            server.daemon_threads = True
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                self.free.set()
                server.shutdown()
                thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        kind = "receive" if "git-receive-pack" in request.path else "upload"
        kind += "-refs" if "info/refs" in request.path else ""
        self.asked.append(kind)
        self.seen.append(request.headers.get("Authorization", ""))
        request.close_connection = True
        if self.hold == kind:
            self.held.set()
            self.free.wait(60)
            return
        if self.moved:
            request.send_response(302)
            request.send_header("Location", self.moved + request.path)
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif self.login and self.seen[-1] != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="lab"')
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            self._backend(request, kind)

    def _backend(self, request: BaseHTTPRequestHandler, kind: str) -> None:
        path, _, query = request.path.partition("?")
        env = {
            **CLEAN,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "kim",
            "REMOTE_ADDR": HOST,
        }
        done = subprocess.run(["git", "http-backend"], env=env, input=_body(request), capture_output=True)
        if self.lose == kind and self.before_losing:
            self.before_losing -= 1
        elif self.lose == kind:
            self.lose = ""
            self.held.set()
            if self.hold == "lost":
                self.free.wait(60)
            return
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [line.partition(": ") for line in head.decode().split("\r\n")]
        status = next((value for name, _, value in fields if name == "Status"), "200 OK")
        request.send_response(int(status.split()[0]))
        for name, _, value in fields:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", "0")))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)
