"""``deploy-actions init``: the pipelines of a project, written with its names and never over others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from ci_lib.cli.console import Session, Values, stack_of
from ci_lib.cli.init_files import INCLUDED, ROOT_FILE, STARTER, TOKEN, github, gitlab, starter
from ci_lib.cli.init_names import Names, library_of, names_of
from ci_lib.cli.look import Found, look
from ci_lib.config.load import load
from ci_lib.domain.errors import ConfigFault, UsageFault
from ci_lib.domain.reasons import Exit
from ci_lib.ports.project import ProjectFiles
from ci_lib.version import VERSION

_FORGES = {"github": "v1", "gitlab": f"v{VERSION}"}
"""Each forge, and what of deploy-actions a pipeline there uses when nobody says it."""

_GIVEN = {
    "github": frozenset({"GITHUB_ACTOR"}),
    "gitlab": frozenset(
        {"CI_DEPLOY_PASSWORD", "CI_DEPLOY_USER", "CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "CI_REGISTRY_USER"}
    ),
}
"""Names and credentials that a forge puts into the environment of every job: nobody stores them.

On GitLab a pipeline's variable would beat them.
Sources: https://docs.gitlab.com/ci/variables/predefined_variables/,
https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables
"""


@dataclass(slots=True, kw_only=True)
class _Done:
    """What became of each file; ``left`` has with it what to add by hand."""

    written: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def run(values: Values) -> Exit:
    """Write what is missing; what is there stays, and the difference is shown. Twice is as once."""
    return look(values, lambda session: _init(values, session))


def _init(values: Values, session: Session) -> Found:
    del session
    forge = values["ci"]
    if forge not in _FORGES:
        raise UsageFault(f"no pipelines for {forge[:40]!r}", hint=f"give --ci {' or --ci '.join(_FORGES)}")
    library, ref = library_of(values["library"], _FORGES[forge])
    config = Path(values["config"])
    if config.name != STARTER:
        hint = "call it deploy.yml, or copy the templates and give each job the input `config`"
        raise UsageFault(f"pipelines are written for deploy.yml, not for {config.name[:60]!r}", hint=hint)
    files, done = ProjectFiles(config.parent), _Done()
    own = files.read(STARTER)
    loaded = load(starter() if own is None else own, name=STARTER)
    stack, given = stack_of(values, loaded), _GIVEN[forge]
    names = names_of(loaded, stack=stack, library=library, ref=ref, given=given)
    wanted = github(names) if forge == "github" else gitlab(names)
    # Everything is read before anything is written: what is in the way is met while nothing has changed.
    there = {path: files.read(path) for path in wanted}
    if own is None:
        files.create(STARTER, starter())
        done.written.append(STARTER)
    for path, held in there.items():
        _bring(files, done, path, held, wanted)
    return Found(data=_data(done), text=_told(done, names, forge))


def _bring(
    files: ProjectFiles, done: _Done, path: str, held: str | None, wanted: Mapping[str, str]
) -> None:
    text = wanted[path]
    if held is None:
        files.create(path, text)
        done.written.append(path)
    elif held == text:
        done.unchanged.append(path)
    elif path == ROOT_FILE:
        _edit(files, done, held, wanted)
    else:
        done.left[path] = "".join(unified_diff(_lines(held), _lines(text), path, f"{path} as init writes it"))


def _edit(files: ProjectFiles, done: _Done, held: str, wanted: Mapping[str, str]) -> None:
    from ci_lib.cli.init_merge import merged, stages_of

    try:
        text = merged(held, wanted[ROOT_FILE], stages_of(wanted[INCLUDED]))
    except ConfigFault as fault:
        done.left[ROOT_FILE] = f"{fault.message}; {fault.hint}\n\n{wanted[ROOT_FILE]}"
        return
    if text == held:
        done.unchanged.append(ROOT_FILE)
        return
    files.replace(ROOT_FILE, text)
    done.changed.append(ROOT_FILE)


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.splitlines()]


def _data(done: _Done) -> Mapping[str, object]:
    return {"written": done.written, "changed": done.changed, "unchanged": done.unchanged, "left": done.left}


def _told(done: _Done, names: Names, forge: str) -> str:
    rows = [("written", done.written), ("changed", done.changed), ("as it was", done.unchanged)]
    lines = [f"{word}: {path}" for word, paths in rows for path in paths]
    lines += [f"left alone: {path}; what to add:\n\n{text}" for path, text in done.left.items()]
    secrets = ", ".join(name for name in names.secrets if name != TOKEN)
    if secrets:
        kind, looks = ("secrets", f", {names.production}-look") if forge == "github" else ("variables", "")
        lines.append(f"{kind} to store for {names.staging}, {names.production}{looks}: {secrets}")
    if not names.gate:
        lines.append("deploy.yml has no `gate:` yet: nothing is tested before a release")
    lines.append("read the comment at the top of each file: it says what else to set up")
    return "\n".join(lines) + "\n"
