"""What a team writes about a release, in its checkout: the draft announcement and the record's template."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ci_lib.checks.draft import LIMIT, Draft, read_draft
from ci_lib.checks.release_list import Asked, release_list
from ci_lib.cli.console import Session
from ci_lib.cli.dotenv import variables_of
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.engine.tools import Variables
from ci_lib.ports.protocols import Host
from ci_lib.ports.system import SystemClock
from ci_lib.report.release_record import BUILT_IN, faults_of


def rows(session: Session, settings: Resolved, host: Host, facts: Variables) -> tuple[CheckResult, ...]:
    """What preflight adds to its checks for a release with these facts."""
    try:
        draft, lacks = draft_of(settings), "there is no such file"
    except ConfigFault as fault:
        draft, lacks = None, fault.message
    migration = settings.settings.migration
    asked = Asked(
        version=facts["DEPLOY_VERSION"],
        previous=facts["DEPLOY_PREVIOUS_VERSION"],
        draft=draft,
        lacks=lacks,
        there=lambda path: _is_there(settings, path),
        values=_values(session, settings, host),
        now=SystemClock().now(),
        policy=migration.policy if migration else None,
    )
    return (*release_list(settings.settings.release, asked), *_record_rows(settings))


def draft_of(settings: Resolved) -> Draft | None:
    """The draft, read; None without one. Raises ``ConfigFault`` when it is not to be read."""
    name = settings.settings.release.draft
    text = _read(settings, name) if name else None
    return None if text is None else read_draft(text)


def template_of(settings: Resolved) -> str:
    """The template of the record; raises ``ConfigFault`` with every mistake, or when it is not there."""
    name = settings.settings.release.template
    if not name:
        return BUILT_IN
    text = _read(settings, name)
    if text is None:
        hint = "the path starts in deploy.yml's folder"
        raise ConfigFault(f"release.template: there is no {name}", hint=hint)
    if faults := faults_of(text):
        lines = "\n".join(f"{name}:{line}: {what}" for line, what in faults)
        hint = "docs/reference/release-record.md of deploy-actions lists what is filled in"
        raise ConfigFault(lines, hint=hint)
    return text


def confined(settings: Resolved, name: str) -> Path:
    """The path of ``name`` in the checkout, links followed.

    Raises ``ConfigFault`` when they lead out of deploy.yml's folder, or round in a circle.
    """
    root = Path(settings.folder).resolve()
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigFault(f"{name} leads nowhere: {error}") from error
    if not path.is_relative_to(root):
        raise ConfigFault(f"{name} leads out of {root}", hint="it is a link, or below one; use a plain path")
    return path


def check_papers(settings: Resolved) -> None:
    """Raise ``ConfigFault`` for a record that could not be written as deploy.yml wants it."""
    if settings.settings.release.record:
        confined(settings, settings.settings.release.record)
        template_of(settings)


def _record_rows(settings: Resolved) -> Iterator[CheckResult]:
    """Whether the record of this release can be written, before there is one."""
    if not settings.settings.release.record:
        return
    wrong = ""
    try:
        check_papers(settings)
    except ConfigFault as fault:
        wrong = "; ".join(fault.message.splitlines())
    yield CheckResult(
        name="release record",
        mark=Mark.FAILED if wrong else Mark.PASSED,
        value=wrong or f"in {settings.settings.release.record}",
        bound="a folder of the checkout, and a template without mistakes",
    )


def _read(settings: Resolved, name: str) -> str | None:
    path = confined(settings, name)
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise ConfigFault(f"{name} cannot be read: {error.strerror}") from error
    if len(data) > LIMIT:
        raise ConfigFault(f"{name} has more than {LIMIT} bytes", hint="shorten it")
    return data.decode(errors="replace")


def _is_there(settings: Resolved, word: str) -> bool:
    """Whether a path in the draft, seen from deploy.yml or from the draft, is in the checkout."""
    name = word.partition("#")[0]
    beside = str(Path(settings.settings.release.draft).parent / name)
    for path in (name, beside):
        try:
            if name and confined(settings, path).exists():
                return True
        except (ConfigFault, OSError):  # too long for a name, or out of the checkout
            continue
    return False


def _values(session: Session, settings: Resolved, host: Host) -> Mapping[str, Sequence[Variables]]:
    """The variables of each place that is asked; a process gets what deploy.yml says, and nothing else."""
    asked = {setting.from_ for setting in settings.settings.release.settings}
    values: dict[str, Sequence[Variables]] = {"runner": [session.env]}
    if "host" in asked and settings.target == "process":
        values["host"] = [service.env for service in settings.settings.process.services.values()]
    elif "host" in asked:
        values["host"] = [variables_of(host, settings.settings.compose.run_dir)]
    return values
