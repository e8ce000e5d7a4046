"""The gate "main is green": the checks of a release's commit, asked of the forge."""

from collections.abc import Iterator, Mapping
from typing import Final

from ci_lib.checks.commit_checks import commit_checks
from ci_lib.cli.commits import Origin, Resolve, origins_of, references_in
from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault, TimeOver
from ci_lib.domain.forge import Forge, ForgeFault
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Reason
from ci_lib.engine.tools import Variables
from ci_lib.ports.system import time_limit

_SECONDS: Final = 90.0
"""The step that asks has 120 under the lock."""


def green_rows(
    session: Session, settings: Resolved, forge: Forge, facts: Variables, resolve: Resolve
) -> tuple[CheckResult, ...]:
    """A row for each check that `release.commit_checks` names and each commit of a release with these facts.

    ``resolve`` finds the digest under a tag. Raises ``StepFault`` (FORGE) where the commit is not known, or
    the forge does not answer, all in the time that it may take while the lock is held.
    """
    names = settings.settings.release.commit_checks
    if not names:
        return ()
    try:
        with time_limit(_SECONDS):
            return _asked(session, settings, forge, facts, resolve)
    except TimeOver:
        raise StepFault(
            f"`release.commit_checks` cannot be judged: registries and forge took more than {_SECONDS:g} s",
            hint="run this again; nothing was changed",
            reason=Reason.FORGE,
        ) from None


def _asked(
    session: Session, settings: Resolved, forge: Forge, facts: Variables, resolve: Resolve
) -> tuple[CheckResult, ...]:
    names = settings.settings.release.commit_checks
    origins = origins_of(session, settings, references_in(facts), resolve)
    unknown = {name: origin for name, origin in origins.items() if not origin.commit}
    if unknown:
        raise _unknown(unknown)
    commits = {origin.commit for origin in origins.values()}
    return tuple(row for commit in sorted(commits) for row in _rows(names, commit, forge))


def _unknown(origins: Mapping[str, Origin]) -> StepFault:
    causes = "; ".join(f"{name} ({origin.why})" for name, origin in origins.items())
    hints = dict.fromkeys(origin.hint for origin in origins.values() if origin.hint)
    return StepFault(
        f"`release.commit_checks` cannot be judged: no commit is known of {causes}",
        hint="; ".join(hints) or "look at the registry, then run this again; nothing was changed",
        reason=Reason.FORGE,
    )


def _rows(names: tuple[str, ...], commit: str, forge: Forge) -> Iterator[CheckResult]:
    try:
        found = forge.commit_checks(commit)
    except ForgeFault as fault:
        raise StepFault(
            f"`release.commit_checks` cannot be judged: {fault}",
            hint=fault.hint or "they are asked of the forge that runs the job, with its token",
            reason=Reason.FORGE,
        ) from None
    yield from commit_checks(names, commit, found)
