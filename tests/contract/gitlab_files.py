"""What `templates/` holds for GitLab, as text made from the table: a template and a component for each verb.

A template holds everything it needs, so that it can be included from anywhere. A component is a template's
address in the form that GitLab's catalog knows: it includes it, and hands all inputs on.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from ci_lib.cli.options import Kind, Option, Where
from ci_lib.cli.table import Command
from tests.contract.gitlab_inputs import Input, every_input, options, text
from tests.contract.gitlab_jobs import JOBS, TEMPLATED, Job

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = "templates/.gitlab-ci"
PIPELINE: Final = f"{FOLDER}/pipeline.yml"
GATE: Final = "DEPLOY_ACTIONS_GATE_"
"""What a gate's variable begins with: the command line does not read it, so the flag alone opens the gate."""

_HEAD: Final = "# Written by `make docs` from ci_lib/cli/table.py; a contract test holds the two equal.\n"
_RESULTS: Final = "deploy-actions"
_DOWNLOADS: Final = ".deploy-actions/downloads"


def files() -> Mapping[str, str]:
    """Path in the repository → what the file must hold."""
    made = {f"{FOLDER}/{verb.name}.yml": template(verb) for verb in TEMPLATED}
    wrapped = {f"templates/{verb.name}.yml": component(verb) for verb in TEMPLATED}
    return {**made, **wrapped, "templates/pipeline.yml": pipeline_component()}


def template(command: Command) -> str:
    """The template of a verb."""
    lines = [f"# {command.summary}", "spec:", "  inputs:"]
    for one in every_input(command):
        lines += one.lines()
    job = JOBS[command.name]
    lines += ["---", '"$[[ inputs.job-name ]]":', *_job(command, job), *_pairs(job)]
    return _HEAD + "\n".join(lines) + "\n"


def component(command: Command) -> str:
    """The component of a verb."""
    every = every_input(command)
    lines = [line for one in every if one.name != "library-ref" for line in one.lines()]
    return _component(command.name, lines, [one.name for one in every])


def pipeline_component() -> str:
    """The component of the whole pipeline, which a hand has written."""
    header, _ = YAML(typ="safe").load_all((ROOT / PIPELINE).read_text("utf-8"))
    given = [Input(name=name, **_of(value)) for name, value in header["spec"]["inputs"].items()]
    lines = [line for one in given if one.name != "library-ref" for line in one.lines()]
    return _component("pipeline", lines, [one.name for one in given])


def _of(value: Mapping[str, Any]) -> dict[str, Any]:
    return {**value, "options": tuple(value.get("options", ()))}


def _component(name: str, lines: list[str], names: list[str]) -> str:
    made = ["spec:", "  # What runs is the code of this very commit.", "  component: [sha]"]
    made += ["  inputs:", *lines, "---", "include:"]
    made += [f"  - local: /{FOLDER}/{name}.yml", "    inputs:"]
    for one in names:
        given = "component.sha" if one == "library-ref" else f"inputs.{one}"
        made.append(f'      {one}: "$[[ {given} ]]"')
    return _HEAD + "\n".join(made) + "\n"


def _job(command: Command, job: Job) -> Iterator[str]:
    yield "  stage: $[[ inputs.stage ]]"
    yield "  needs: $[[ inputs.needs ]]"
    yield from _rules(job)
    if job.question:
        yield f"  manual_confirmation: {text(job.question)}"
    yield "  tags: $[[ inputs.tags ]]"
    yield "  image: $[[ inputs.job-image ]]"
    if job.action:
        yield "  # Nothing of the project's `default:` goes into a job that holds the keys of an environment."
        yield "  inherit: {default: false}"
        yield "  environment:"
        yield "    name: $[[ inputs.environment ]]"
        yield "    deployment_tier: $[[ inputs.tier ]]"
        yield f"    action: {job.action}"
        yield "  resource_group: $[[ inputs.environment ]]"
    yield f"  interruptible: {text(not job.changes)}"
    yield f"  timeout: {job.hours} {'hour' if job.hours == 1 else 'hours'}"
    yield "  # Whether it is tried again is for a person to say, or for the next pipeline."
    yield "  retry: 0"
    yield from _variables(command)
    yield "  cache:"
    yield f"    key: deploy-actions-{_locked()}"
    yield f"    paths: [{_DOWNLOADS}]"
    yield from _script(command)
    yield from _artifacts(command)


def _pairs(job: Job) -> Iterator[str]:
    """What GitLab starts when the environment is stopped; it is merged into the jobs that deploy there."""
    for name in ("deploy-job", "rollback-job") if job.action == "stop" else ():
        yield f'"$[[ inputs.{name} ]]":'
        yield "  environment:"
        yield "    name: $[[ inputs.environment ]]"
        yield "    on_stop: $[[ inputs.job-name ]]"


def _rules(job: Job) -> Iterator[str]:
    yield "  rules:"
    if job.freeze:
        yield "    - if: $CI_DEPLOY_FREEZE && ($[[ inputs.rules-if ]])"
        yield "      when: $[[ inputs.on-freeze ]]"
    yield "    - if: $[[ inputs.rules-if ]]"
    yield "      when: $[[ inputs.when ]]"
    if job.optional:
        yield "      allow_failure: $[[ inputs.allow-failure ]]"


def _variables(command: Command) -> Iterator[str]:
    yield "  variables:"
    for option in options(command):
        given = f"$[[ inputs.{option.name} ]]"
        if option.kind is Kind.FLAG:
            given = f'"{given} "'  # GitLab takes no boolean for a variable: the space makes a text of it
        elif option.where is Where.GATE or option.name == "reason":
            given = f'{{value: "{given}", expand: false}}'
        yield f"    {variable(option)}: {given}"
    yield "    DEPLOY_ACTIONS_LIBRARY_PROJECT: $[[ inputs.library-project ]]"
    yield "    DEPLOY_ACTIONS_LIBRARY_REF: $[[ inputs.library-ref ]]"


def variable(option: Option) -> str:
    """The variable of the job that carries an option."""
    return option.variable or GATE + option.name.upper().replace("-", "_")


def script(command: Command) -> str:
    """What the job runs; the same for everybody, since inputs come as variables."""
    source = (ROOT / "actions/_setup/gitlab.sh").read_text("utf-8").splitlines()
    lines = ["set -eu", *(line for line in source if not line.startswith("#")), f"set -- {command.name}"]
    lines += [_flag(option) for option in options(command) if option.where is Where.GATE]
    lines.append('bash "$library/actions/_setup/start.sh" "$@"')
    return "(\n" + "".join(f"  {line}\n" for line in lines) + ")\n"


def _flag(option: Option) -> str:
    name = variable(option)
    if option.kind is Kind.FLAG:
        return f'case "${{{name}:-}}" in true*) set -- "$@" --{option.name} ;; esac'
    return f'[ -z "${{{name}:-}}" ] || set -- "$@" "--{option.name}=${name}"'


def _script(command: Command) -> Iterator[str]:
    yield "  script:"
    yield "    - |"
    yield from (f"      {line}" for line in script(command).splitlines())


def _artifacts(command: Command) -> Iterator[str]:
    yield "  artifacts:"
    yield "    when: always"
    yield "    access: developer"
    yield f"    expose_as: deploy-actions {command.name}"
    yield f"    paths: [{_RESULTS}/]"
    yield "    reports:"
    yield f"      dotenv: {_RESULTS}/outputs.env"
    yield f"      annotations: {_RESULTS}/annotations.json"
    if command.name == "lint-test":
        yield f'      junit: "{_RESULTS}/evidence/*/junit.xml"'


def _locked() -> str:
    """The dependencies, in a few letters: with others the downloads of these are of no use."""
    return hashlib.sha256((ROOT / "requirements/runtime.txt").read_bytes()).hexdigest()[:16]
