"""Approvals that are files of the repository: reviewed by their owners, and merged into a protected branch.

They are read from the commit that runs, never from the work tree. What proves them is the protection of the
branch: the forge lets nobody merge a change of a path in CODEOWNERS without a review of its owners.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ci_lib.cli.console import Session
from ci_lib.config.approval_file import ApprovalFile, load_approval
from ci_lib.config.policy import Files
from ci_lib.config.resolved import Resolved
from ci_lib.domain.approval import Approval, Gate, Source
from ci_lib.domain.errors import ConfigFault
from ci_lib.ports.protocols import PortFault
from ci_lib.records.bodies import moment

_LIMIT = 30.0
_MOST = 200
"""Files that are looked at: the folder is for live approvals, and they last a day."""
_OWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_ENV = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}


def approvals_of(session: Session, settings: Resolved, files: Files | None) -> tuple[Approval, ...]:
    """The approvals for a stack and environment that the running commit holds, each with its flaw, if any."""
    if files is None:
        return ()
    reader = _Reader(session, settings, files)
    try:
        return tuple(reader.approvals())
    except PortFault as fault:
        session.reporter.warn(f"approvals by file cannot be read: {fault}")
        return ()


class _Reader:
    """Asks git about one commit."""

    def __init__(self, session: Session, settings: Resolved, files: Files) -> None:
        self._session = session
        self._settings = settings
        self._files = files
        self._owners: str | None = None
        self._top = settings.folder
        self._top = self._git("rev-parse", "--show-toplevel").rstrip("\n") or settings.folder

    def approvals(self) -> Iterator[Approval]:
        """Every file below the folder that is about this stack and environment."""
        folder = f"{self._files.folder.strip('/')}/"
        entries = self._git("ls-tree", "-r", "-z", "--full-tree", "HEAD", folder).split("\0")
        if len(entries) > _MOST:
            self._session.reporter.warn(f"only the first {_MOST} of {len(entries)} approvals are looked at")
        for entry in entries[:_MOST]:
            kind, _, path = entry.partition("\t")
            if not path.endswith((".yml", ".yaml")) or not kind.startswith("100"):
                continue
            try:
                found = load_approval(self._git("cat-file", "blob", f"HEAD:{path}"), name=path)
            except ConfigFault as error:
                self._session.reporter.warn(f"an approval that cannot be read is left out: {error.message}")
                continue
            if self._concerns(found):
                yield self._approval(path, found)

    def _concerns(self, found: ApprovalFile) -> bool:
        """About this stack and environment, or a sign-off of what is required to be verified elsewhere."""
        environment, requires = self._settings.environment, self._settings.place.requires
        if Gate(found.gate) is Gate.SIGN_OFF and requires is not None:
            environment = requires.environment
        return (found.stack, found.environment) == (self._settings.stack, environment)

    def _approval(self, path: str, found: ApprovalFile) -> Approval:
        commit, seconds = self._added(path)
        flaws = (self._unprotected(), self._foreign(path, found.approver), "" if commit else _SHALLOW)
        return Approval(
            id=hashlib.sha256(f"{path}\n{found.model_dump_json()}".encode()).hexdigest(),
            source=Source.FILE,
            approver=found.approver,
            environment=found.environment,
            gate=Gate(found.gate),
            subjects=frozenset(found.subjects),
            reason=found.reason,
            at=datetime.fromtimestamp(seconds, UTC) if commit else None,
            until=_moment(found.until),
            where=f"{path} in commit {commit[:12]}" if commit else path,
            flaw=next(filter(None, flaws), ""),
        )

    def _unprotected(self) -> str:
        """Whether this run is one of the protected branch, as the CI says."""
        wanted, facts = f"refs/heads/{self._files.branch}", self._session.facts
        if facts.ref != wanted:
            return f"this is no run of the branch {self._files.branch}"
        head = self._git("rev-parse", "--verify", "HEAD").strip()
        return "" if head == facts.sha else "what is checked out is not the commit that the CI runs"

    def _added(self, path: str) -> tuple[str, int]:
        """The commit that wrote the file as it is, and its time; nothing where the clone ends before."""
        # Of the branch itself: what a merge brought is as old as the merge, whatever its commits say.
        how = ("-1", "--first-parent", "-m", "--format=%H %ct %P", "--no-show-signature", "--no-patch")
        shown = self._git("log", *how, "HEAD", "--", path).split()
        if len(shown) < 2:
            return "", 0
        shallow = self._git("rev-parse", "--is-shallow-repository").strip() == "true"
        if shallow and len(shown) == 2:  # where a clone was cut off, everything seems to be new
            return "", 0
        return shown[0], int(shown[1])

    def _foreign(self, path: str, approver: str) -> str:
        """Whether CODEOWNERS names the approver for that path: who is in a team is not known here."""
        if self._owners is None:
            found = (self._git("cat-file", "blob", f"HEAD:{name}") for name in _OWNERS)
            self._owners = next(filter(None, found), "")
        owners = owners_of(path, self._owners)
        if owners is None:
            folder = path.rpartition("/")[0]
            return f"CODEOWNERS has a pattern that may mean {path} and is not understood: write /{folder}/"
        if re.fullmatch(r"@?[A-Za-z0-9][A-Za-z0-9_.-]*", approver) is None:
            return f"{approver[:60]!r} is not the name of one person"
        names = {owner.removeprefix("@").casefold() for owner in owners}
        if approver.removeprefix("@").casefold() in names:
            return ""
        return f"CODEOWNERS does not name {approver} for {path}"

    def _git(self, *words: str) -> str:
        """What git prints; nothing where it fails, as for a file that is not there."""
        argv = ["git", *words]
        ran = self._session.runner.run(argv, timeout=_LIMIT, cwd=self._top, env=_ENV)
        return ran.stdout if ran.ok else ""


_SHALLOW = "the clone does not reach back to its commit: give actions/checkout `fetch-depth: 0`"


def owners_of(path: str, text: str) -> tuple[str, ...] | None:
    """The owners of a path by the text of a CODEOWNERS file: those of the last line that fits.

    None where a later line has a pattern with wildcards that may or may not mean the path.
    """
    owners: tuple[str, ...] | None = ()
    for line in text.splitlines():
        pattern, *names = re.sub(r"(^|\s)#.*", "", line).split() or [""]
        if not pattern or pattern.startswith(("[", "^[")):  # a section of GitLab's
            continue
        fits = _fits(pattern, path)
        if fits is None:
            owners = None
        elif fits:
            owners = tuple(names)
    return owners


def _fits(pattern: str, path: str) -> bool | None:
    """Whether a pattern means a path; None where that is not plain."""
    plain = pattern.removesuffix("**").removesuffix("*") if pattern.endswith(("/*", "/**")) else pattern
    if plain == "*":
        return True
    if set(plain) & set("*?[\\!"):
        return None
    inside = f"{plain.strip('/')}/"
    if path.startswith(inside) or (path == plain.lstrip("/") and not plain.endswith("/")):
        return True
    anchored = "/" in plain.rstrip("/")  # else it means every folder or file of that name
    return not anchored and f"/{inside}" in f"/{path}/"


def _moment(text: str | None) -> datetime | None:
    try:
        found = moment(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
