"""The gate "main is green": the checks of a release's commit, asked of the forge."""

from collections.abc import Iterator

from ci_lib.checks.commit_checks import commit_checks
from ci_lib.cli.commits import commits_of, references_in
from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.forge import Forge, ForgeFault
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Reason
from ci_lib.engine.tools import Variables


def green_rows(
    session: Session, settings: Resolved, forge: Forge, facts: Variables
) -> tuple[CheckResult, ...]:
    """A row for each check that `release.commit_checks` names and each commit of a release with these facts.

    Raises ``StepFault`` (FORGE) where the commit is not known, or the forge does not answer.
    """
    names = settings.settings.release.commit_checks
    if not names:
        return ()
    commits = commits_of(session, settings, references_in(facts))
    unknown = ", ".join(name for name, commit in commits.items() if not commit)
    if unknown:
        raise StepFault(
            f"`release.commit_checks` cannot be judged: no commit is known of {unknown}",
            hint="label the image with org.opencontainers.image.revision, as `build` does, or tag it "
            "sha-<commit>; the label is read from the registry",
            reason=Reason.FORGE,
        )
    return tuple(row for commit in sorted(set(commits.values())) for row in _rows(names, commit, forge))


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
