"""What git says about the checkout, and how a commit's files come into a folder of their own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from ci_lib.domain.build import Source
from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import NO_ENV, Host, Ran

_ENV: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
_LIMIT: Final = 60.0
_CHECKOUT_LIMIT: Final = 600.0
_SCP: Final = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/:][^:]*)")
_OURS: Final = ".deploy-actions"
"""Where evidence goes on a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A git checkout on ``host``; ``folder`` is its top, absolute."""

    host: Host
    folder: str

    @classmethod
    def around(cls, folder: str, host: Host) -> Self:
        """The checkout that ``folder`` is in; raises ``DeployError`` (BUILD) when there is none."""
        ran = _git(host, folder, ("rev-parse", "--show-toplevel"))
        if ran.ok and ran.stdout.strip():
            return cls(host=host, folder=ran.stdout.rstrip("\n"))
        if ran.code == 127:
            raise _fault("git is not installed on this machine", "install it: the commit names the image")
        dubious = "dubious ownership" in ran.stderr
        hint = "check the repository out first (actions/checkout): the commit names the image"
        owner = "the checkout belongs to another user: git config --global --add safe.directory FOLDER"
        raise _fault(f"git knows no checkout in {folder}: {ran.said}", owner if dubious else hint)

    def commit(self, ref: str) -> str:
        """The full id of the commit that ``ref`` (a tag, branch or id) names; raises ``UsageFault``."""
        ran = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        found = ran.stdout.strip()
        if ran.ok and re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", found):
            return found
        if ref == "HEAD":
            raise _fault("the repository has no commit yet", "commit first: the commit names the image")
        shallow = self._run("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        hint = (
            "this clone is shallow and holds the newest commit alone: give actions/checkout `fetch-depth: 0`"
            if shallow
            else "is it a tag, a branch or a commit of this clone? `git fetch --tags` fetches what is new"
        )
        raise UsageFault(f"there is no commit {ref[:100]!r} here", hint=hint)

    def source(self, commit: str) -> Source:
        """The facts about a commit."""
        shown = self._demand("show", "--no-show-signature", "--no-patch", "--format=%ct", commit)
        url = self._run("config", "--get", "remote.origin.url").stdout.strip()
        return Source(commit=commit, time=int(shown.strip()), url=public(url))

    def changed(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The files below absolute ``paths`` that are not as committed; not those that git ignores."""
        # Said in full: what the repository's own settings leave out would be in the image all the same.
        full = ("--untracked-files=all", "--ignore-submodules=none", "--no-renames")
        listed = self._demand("status", "--porcelain=v1", "-z", *full, "--", *paths)
        entries = [(entry[:2], entry[3:]) for entry in listed.split("\0") if entry]
        found = [name for state, name in entries if state != "??" or _OURS not in name.split("/")]
        # Lower case: assumed to be unchanged; S: left out of the work tree. git does not look at either.
        rows = self._demand("ls-files", "-v", "-z", "--", *paths).split("\0")
        unseen = [row[2:] for row in rows if row[:1].islower() or row[:1] == "S"]
        return (*found, *(name for name in unseen if name not in found))

    def unpack(self, commit: str, folder: str) -> str:
        """Write a commit's files below ``folder``/tree and return that path.

        By an index of its own, so that nothing in the repository changes: there is no worktree to clear up.
        """
        rows = self._demand("ls-tree", "-r", "-z", commit).split("\0")
        modules = [row for row in rows if row.startswith("160000 ")]
        if modules:
            name = modules[0].partition("\t")[2]
            raise _fault(
                f"commit {commit[:12]} has submodules ({name[:100]}), which are not fetched for it",
                "check that commit out with its submodules, and build without a ref",
            )
        env = {"GIT_INDEX_FILE": f"{folder}/index"}
        self._demand("read-tree", commit, env=env)
        self._demand("checkout-index", "--all", f"--prefix={folder}/tree/", env=env, limit=_CHECKOUT_LIMIT)
        return f"{folder}/tree"

    def _run(self, *words: str, env: Mapping[str, str] = NO_ENV, limit: float = _LIMIT) -> Ran:
        return _git(self.host, self.folder, words, env=env, limit=limit)

    def _demand(self, *words: str, env: Mapping[str, str] = NO_ENV, limit: float = _LIMIT) -> str:
        ran = self._run(*words, env=env, limit=limit)
        if not ran.ok:
            raise _fault(f"git {words[0]} failed: {ran.said}", "is the clone whole, the disk full?")
        return ran.stdout


def _git(
    host: Host, folder: str, words: Sequence[str], *, env: Mapping[str, str] = NO_ENV, limit: float = _LIMIT
) -> Ran:
    return host.run(["git", *words], timeout=limit, cwd=folder, env={**_ENV, **env})


def public(url: str) -> str:
    """A remote's address without a login; empty for a folder, which is nobody else's business."""
    if "://" in url:
        try:
            parts = urlsplit(url)
        except ValueError:
            return ""
        if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname:
            return ""
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    found = _SCP.fullmatch(url)
    return f"ssh://{found['host']}/{found['path']}" if found else ""


def _fault(message: str, hint: str) -> DeployError:
    return DeployError(message, hint=hint, reason=Reason.BUILD)
