"""What the forge is told of a verb's end: a deployment, a name, an issue, a release; of a plan, a comment.

All of it is told when the outcome stands in the ledger, and evidence, summary and outputs are written; none
of it changes the outcome: whatever goes wrong is a warning in the log and a note in the summary. Nor does it
hold up the job: registries and forge together have a minute, however slow their answers are.
"""

import tarfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from ci_lib.cli.commits import commit_of, references
from ci_lib.cli.console import Session, Values
from ci_lib.cli.forges import FORGES, forge_of
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import Cancelled, DeployError, TimeOver
from ci_lib.domain.forge import Deployment, DeploymentState, Forge, ForgeFault
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.text import one_line
from ci_lib.forge.none import NoForge
from ci_lib.ports.scratch import scratch
from ci_lib.ports.system import SystemClock, time_limit
from ci_lib.report.summary import summary
from ci_lib.report.verdict import verdict

_ASKING: Final = 15.0
"""Seconds in which the registries have to say of which commit the images are."""

_TELLING: Final = 45.0
"""Seconds in which everything has to be told."""

_BRINGING: Final = frozenset({Verb.DEPLOY, Verb.PROMOTE, Verb.ROLLBACK, Verb.POST_VERIFY, Verb.FINALIZE})
"""Verbs after which another release may serve; the last two when they go back, or find a run half-way."""

_ENDS: Final = {
    Status.DEPLOYED: (DeploymentState.SUCCESS, "deployed by {verb}"),
    Status.UNCHANGED: (DeploymentState.SUCCESS, "serves already"),
    Status.ROLLED_BACK: (DeploymentState.FAILURE, "failed, {back}"),
    Status.PARTIAL: (DeploymentState.FAILURE, "failed, and needs a person"),
}
"""Ends that left something behind; after all others an environment is as it was, and nothing is told."""


def told(
    session: Session, settings: Resolved | None, values: Values, outcome: Outcome, notes: Callable[[], str]
) -> Outcome:
    """Tell the forge of an outcome, which is masked already; the same with a note on what was not told.

    ``notes`` makes the text of a release, as Markdown. On a terminal nothing is told. A signal ends the
    telling, and nothing else: what is told about has ended already.
    """
    if settings is None or session.facts.provider not in FORGES:
        return outcome
    brought = outcome.verb in _BRINGING and outcome.status in _ENDS
    compared = bool(values.get("issue")) and (outcome.reason is Reason.DRIFT or outcome.green)
    tag = values.get("publish", "") if outcome.green else ""
    said: list[str] = []
    try:
        forge = forge_of(session) if brought or compared or tag else NoForge()
        silent = isinstance(forge, NoForge)
        brought = brought and not silent  # without a token nobody asked for it
        asked = brought or (tag and not silent and not _is_version(tag, outcome))
        commits = _commits(session, settings, outcome) if asked else ("", "")
        with time_limit(_TELLING):
            if brought:
                said += _deployment(session, settings, forge, outcome, commits)
                said += _attempt(session, partial(_name, forge, outcome))
            if compared:
                said += _issue(session, settings, forge, outcome)
            if tag:
                said += _release(session, forge, tag, outcome, commits[0], notes)
    except TimeOver:
        said.append(_late(session))
    except Cancelled:
        said.append(f"cancelled while {session.facts.provider} was told of it")
    return replace(outcome, notes=(*outcome.notes, *said))


def commented(session: Session, settings: Resolved, page: str) -> None:
    """Write a plan, as Markdown that is masked already, below the pull or merge request of this run."""
    if session.facts.provider not in FORGES:
        return
    mark = f"plan/{settings.stack}/{settings.environment}"
    try:
        with time_limit(_TELLING):
            _attempt(session, lambda: forge_of(session).comment(mark, page))
    except TimeOver:
        _late(session)


def _late(session: Session) -> str:
    """A note that the time was over before everything was told, also a warning."""
    note = f"{session.facts.provider} was not told everything: it took more than {_TELLING:g} s"
    session.reporter.warn(note)
    return note


def _commits(session: Session, settings: Resolved, outcome: Outcome) -> tuple[str, str]:
    """The commits of the version and of that which serves again; empty where not told, or not in time."""
    new = old = ""
    back = _back(outcome)
    try:
        with time_limit(_ASKING):
            new = commit_of(session, settings, references(change.image for change in outcome.changes))
            if back:
                images = (
                    replace(change.image, tag=back, digest=change.previous_digest)
                    for change in outcome.changes
                )
                old = commit_of(session, settings, references(images))
    except TimeOver:
        session.reporter.warn(f"the registries did not say in {_ASKING:g} s of which commit the images are")
    return new, old


def _back(outcome: Outcome) -> str:
    """The version that was proved to serve again; empty for none."""
    return outcome.rollback.version if outcome.rollback and outcome.rollback.proved else ""


def _attempt(session: Session, tell: Callable[[], str], *, done: str = "") -> tuple[str, ...]:
    """Tell a forge something. Returns a note: what was not told, also a warning, or ``done`` and where."""
    try:
        url = tell()
    except ForgeFault as fault:
        why = f"{fault}. {fault.hint}" if fault.hint else str(fault)
    except DeployError as error:
        why = error.message
    except Exception as error:
        # The boundary: a defect in the telling must not lose an outcome, nor turn it red.
        session.err.write(session.redact(traceback.format_exc()))
        why = f"a defect of deploy-actions ({type(error).__name__})"
    else:
        return (f"{done}: {url}",) if done and url else ()
    note = session.redact(f"{session.facts.provider} was not told: {why}")
    session.reporter.warn(note)
    return (note,)


def _deployment(
    session: Session, settings: Resolved, forge: Forge, outcome: Outcome, commits: tuple[str, str]
) -> tuple[str, ...]:
    return _attempt(session, lambda: forge.record_deployment(deployment(settings, outcome, *commits)))


def _name(forge: Forge, outcome: Outcome) -> str:
    """Call the run by what it did; of several verbs in a pipeline the last one's words stay."""
    forge.name_run(verdict(outcome, one_line))
    return ""


def deployment(settings: Resolved, outcome: Outcome, commit: str, back_commit: str) -> Deployment:
    """What the forge's page of deployments says of an outcome whose version is of ``commit``.

    It is about the version that serves now, or that was tried in vain; ``back_commit`` is that of the version
    which came back.
    """
    state, words = _ENDS[outcome.status]
    old = outcome.rollback.version if outcome.rollback else ""
    back = f"{old} serves again" if old else "nothing serves"
    description = f"{settings.stack} {words.format(verb=outcome.verb, back=back)}"
    return Deployment(
        stack=settings.stack,
        environment=settings.environment,
        sha=commit,
        version=outcome.version,
        url=settings.settings.url or "",
        state=state,
        description=description,
        production=settings.place.tier == "production",
        back=_back(outcome),
        back_sha=back_commit,
    )


def _issue(session: Session, settings: Resolved, forge: Forge, outcome: Outcome) -> tuple[str, ...]:
    """One issue for as long as there is a drift."""
    mark = f"drift/{settings.stack}/{settings.environment}"
    page = partial(summary, outcome, now=SystemClock().now())
    if outcome.reason is Reason.DRIFT:
        title = f"{settings.stack} {settings.environment} has drifted"
        return _attempt(session, lambda: forge.issue(mark, title, page()), done="the issue of this drift")
    return _attempt(session, lambda: forge.close_issue(mark, page()), done="the drift is over, closed")


def _release(
    session: Session, forge: Forge, tag: str, outcome: Outcome, commit: str, notes: Callable[[], str]
) -> tuple[str, ...]:
    def tell() -> str:
        same = _is_version(tag, outcome) or (commit and commit == _commit_of_tag(session, tag))
        if not same and not isinstance(forge, NoForge):  # that one says by itself why it cannot
            raise ForgeFault(
                f"the release of {one_line(tag, 60)} is not published: nothing says that it is of the same "
                f"commit as {one_line(outcome.version, 60)}",
                hint="publish the tag that is the version, or from a run of that tag",
            )
        with scratch("release") as folder:
            files = _packed(outcome.evidence_path, Path(folder))
            return forge.release(tag, tag, notes(), files)

    return _attempt(session, tell, done=f"the release of {tag} is published")


def _is_version(tag: str, outcome: Outcome) -> bool:
    """Whether the tag is the version, with or without the v that some leave out."""
    return tag.removeprefix("v") == outcome.version.removeprefix("v")


def _commit_of_tag(session: Session, tag: str) -> str:
    """The commit of a tag, where this run is of it; empty for others."""
    env = session.env
    if env.get("GITHUB_REF") == f"refs/tags/{tag}":
        return env.get("GITHUB_SHA", "")
    return env.get("CI_COMMIT_SHA", "") if env.get("CI_COMMIT_TAG") == tag else ""


def _packed(evidence: str, folder: Path) -> dict[str, Path]:
    """The evidence as one file, by a name that no other run gives it; nothing where there is no evidence."""
    if not evidence:
        return {}
    name = Path(evidence).name
    path = folder / f"{name}.tar.gz"
    try:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(evidence, arcname=name)
    except OSError as error:
        raise ForgeFault(f"the evidence cannot be packed: {error.strerror}") from None
    return {path.name: path}
