"""One stack in one environment, with everything laid over, filled in and hashed."""

import hashlib
import json
from collections.abc import Collection, Mapping
from posixpath import join, normpath

from pydantic import BaseModel

from ci_lib.config.load import Loaded
from ci_lib.config.mistakes import Mistake, fault
from ci_lib.config.models import DeployConfig, StackSettings
from ci_lib.config.overlay import fill, settings_of
from ci_lib.config.pairs import out_of_reach
from ci_lib.config.records import GitRecords, Records
from ci_lib.config.resolved import Resolved
from ci_lib.config.text import clean, listed, near, quoted
from ci_lib.domain.errors import UsageFault


def resolve(loaded: Loaded, stack: str, environment: str, folder: str) -> Resolved:
    """The settings of ``stack`` in ``environment``; ``folder`` is deploy.yml's own, absolute.

    Every environment can take every stack, also one that the stack does not mention. Raises ``UsageFault``
    for unknown names, and ``ConfigFault`` where the target cannot work on the environment's host.
    """
    config = loaded.config
    must_exist("stack", stack, config.stacks, loaded.name)
    must_exist("environment", environment, config.environments, loaded.name)
    if wrong := out_of_reach(config, stack, environment):
        mistake = Mistake(path=("stacks", stack, "target"), text=wrong)
        raise fault([mistake], name=loaded.name, lines=loaded.lines)
    chosen, place = config.stacks[stack], config.environments[environment]
    settings = fill(settings_of(chosen, environment), stack=stack, environment=environment)
    images = dict(chosen.images)
    hashed = {"target": chosen.target, "settings": settings, "images": images, "place": place}
    return Resolved(
        folder=folder,
        stack=stack,
        environment=environment,
        target=chosen.target,
        place=place,
        images=images,
        settings=_absolute(settings, folder),
        records=_records(config, folder),
        hosts=dict(config.hosts),
        required_by=tuple(
            name for name, other in config.environments.items()
            if other.requires and other.requires.environment == environment
        ),
        config_hash=_hash(hashed),
    )


def must_exist(what: str, name: str, known: Collection[str], file: str) -> None:
    """Raise ``UsageFault`` for a name that ``file`` does not know; ``what`` is "stack" or "environment"."""
    if name not in known:
        guess = near(name, known)
        meant = f", did you mean {quoted(guess)}?" if guess else ""
        raise UsageFault(
            f"there is no {what} {quoted(name)} in {clean(file, 200)}{meant}",
            hint=f"its {what}s are: {listed(known)}",
        )


def _absolute(settings: StackSettings, folder: str) -> StackSettings:
    """Run directories in one spelling; that of processes is on this machine, from deploy.yml's folder."""
    process = {"run_dir": normpath(join(folder, settings.process.run_dir))}
    compose = {"run_dir": normpath(settings.compose.run_dir)}
    return settings.model_copy(
        update={
            "process": settings.process.model_copy(update=process),
            "compose": settings.compose.model_copy(update=compose),
        }
    )


def _records(config: DeployConfig, folder: str) -> Records:
    records = config.records
    if isinstance(records, GitRecords):
        at = {"remote": normpath(join(folder, records.folder))} if records.folder else {}
        return records.model_copy(update=at)
    if records.host is not None and not config.hosts[records.host].local:
        return records
    return records.model_copy(update={"path": normpath(join(folder, records.path))})


def _hash(parts: Mapping[str, object]) -> str:
    """SHA-256 of canonical JSON, before paths of this machine come in: equal wherever it is computed."""
    text = json.dumps(parts, default=_plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(model: BaseModel) -> dict[str, object]:
    return model.model_dump(mode="json", by_alias=True)
