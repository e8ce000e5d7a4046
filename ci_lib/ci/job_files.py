"""What a GitLab job leaves for GitLab to pick up: outputs, summary and links, in one folder of the checkout.

GitLab takes artifacts from the checkout alone, and a checkout may bring files of that name: from a commit,
from the artifacts of an earlier job, from a runner that does not clean up. So each file says of which job
it is, and one of another job is not added to but replaced. All are written in one go, so that a job that is
killed leaves the old file or the new one.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from ci_lib.ci.dotenv import dotenv
from ci_lib.ci.page import page
from ci_lib.domain.text import head
from ci_lib.ports.protocols import NotFound

FOLDER: Final = "deploy-actions"
"""Below the project's folder."""

OUTPUTS: Final = "outputs.env"
SUMMARY: Final = "summary.md"
PAGE: Final = "summary.html"
"""The same for a browser."""
LINKS: Final = "annotations.json"

SUMMARY_LIMIT: Final = 1024 * 1024
"""Bytes of the summary, as on GitHub; GitLab takes larger artifacts, people read shorter pages."""

LINK_LIMIT: Final = 50
"""Links of a job; with its settings untouched, GitLab takes 80 KB of them."""

_JOB: Final = "job-id"
_SECTION: Final = "deploy-actions"
_CUT: Final = "**The rest did not fit into 1 MiB. The evidence holds all of it.**"
_MODE: Final = 0o644


class Files(Protocol):
    """The files of the machine that we run on, as ``ports.protocols.Host`` has them."""

    def read(self, path: str) -> bytes:
        """A file's bytes; raise ``NotFound`` when there is none, ``PortFault`` when it cannot be read."""

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file in one go, with its folders; raise ``PortFault`` when that cannot be done."""


class JobFiles:
    """The files of one job in ``folder``; ``job`` is its id, ``url`` its page.

    Everything raises ``PortFault`` when a file cannot be read or written.
    """

    def __init__(self, *, folder: str, job: str, url: str, files: Files) -> None:
        self._folder = folder
        self._job = job
        self._url = url
        self._files = files

    def outputs_exist(self) -> bool:
        """Whether a step of this very job has left outputs."""
        last = self._read(OUTPUTS).rstrip(b"\n").rpartition(b"\n")[2]
        return last + b"\n" == dotenv({_JOB: self._job})[0]

    def begin(self) -> None:
        """Keep the folder out of git's sight: a build refuses a checkout that holds more than the commit."""
        self._write(".gitignore", b"*\n")

    def put_outputs(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Replace the outputs; return the variables that are empty because they cannot hold their value."""
        # Last, and short, so that it always fits.
        data, lost = dotenv({**values, _JOB: self._job})
        self._write(OUTPUTS, data)
        return lost

    def add_summary(self, markdown: str) -> bool:
        """Add to the page; False when it was full already."""
        mark = f"<!-- job {self._job} -->\n\n".encode()
        held = self._read(SUMMARY)
        mine = held.startswith(mark)
        before = held + b"\n\n" if mine else mark
        text = head(markdown, size=SUMMARY_LIMIT - len(before), notice=_CUT)
        if text:
            whole = before + text.encode()
            self._write(SUMMARY, whole)
            self._write(PAGE, page(whole.decode("utf-8", "replace")).encode())
        return bool(text)

    def add_links(self, links: Mapping[str, str]) -> None:
        """Add links (URL → what it is called) to those that the job's page shows."""
        merged = list(({**self._links(), **links}).items())[-LINK_LIMIT:]
        rows = [{"external_link": {"label": label, "url": url}} for url, label in merged]
        self._write(LINKS, (json.dumps({_SECTION: rows}, indent=2) + "\n").encode())

    def _links(self) -> dict[str, str]:
        """The links that are there of this job: no other job's file has one below this job's page."""
        try:
            found: Any = json.loads(self._read(LINKS))
            rows = [row["external_link"] for row in found[_SECTION]]
            links = {str(row["url"]): str(row["label"]) for row in rows}
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        ours = self._url and any(url.startswith(f"{self._url}/") for url in links)
        return links if ours else {}

    def _read(self, name: str) -> bytes:
        try:
            return self._files.read(f"{self._folder}/{name}")
        except NotFound:
            return b""

    def _write(self, name: str, data: bytes) -> None:
        self._files.write(f"{self._folder}/{name}", data, mode=_MODE)
