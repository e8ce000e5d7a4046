"""What `templates/` holds for GitLab, as text made from the table: a template and a component for each verb.

A template holds everything it needs, so that it can be included from anywhere. A component is a template's
address in the form that GitLab's catalog knows: it includes it, and hands all inputs on.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from ci_lib.cli.options import EVIDENCE, Kind, Option, Where
from ci_lib.cli.table import VERBS, Command
from ci_lib.config.patterns import ENV, NAME
from ci_lib.version import VERSION
from tests.contract.action_files import description, inputs
from tests.contract.gitlab_jobs import IMAGE, JOBS, Job

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = "templates/.gitlab-ci"
PIPELINE: Final = f"{FOLDER}/pipeline.yml"
TIERS: Final = ("production", "staging", "testing", "development", "other")
WHENS: Final = ("on_success", "manual", "always", "on_failure")
PROJECT: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"
REF: Final = r"^([0-9a-f]{40}|v[0-9]+(\.[0-9]+){0,2})$"
GATE: Final = "DEPLOY_ACTIONS_GATE_"
"""What a gate's variable begins with: the command line does not read it, so the flag alone opens the gate."""

_HEAD: Final = "# Written by `make docs` from ci_lib/cli/table.py; a contract test holds the two equal.\n"
_SECRET: Final = rf"^(\${ENV[1:-1]})?$"
_RESULTS: Final = "deploy-actions"
_DOWNLOADS: Final = ".deploy-actions/downloads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of `spec:inputs`; without a default it has to be given."""

    name: str
    description: str
    type: str = "string"
    default: object = None
    options: tuple[str, ...] = ()
    regex: str = ""

    def lines(self) -> Iterator[str]:
        """Its lines below `inputs:`."""
        yield f"    {self.name}:"
        yield f"      description: {_text(self.description)}"
        if self.type != "string":
            yield f"      type: {self.type}"
        if self.default is not None:
            yield f"      default: {_text(self.default)}"
        if self.options:
            yield f"      options: {_text(list(self.options))}"
        if self.regex:
            yield f"      regex: {_text(self.regex)}"


def files() -> Mapping[str, str]:
    """Path in the repository → what the file must hold."""
    made = {f"{FOLDER}/{verb.name}.yml": template(verb) for verb in VERBS}
    wrapped = {f"templates/{verb.name}.yml": component(verb) for verb in VERBS}
    return {**made, **wrapped, "templates/pipeline.yml": pipeline_component()}


def options(command: Command) -> tuple[Option, ...]:
    """The options that are inputs; the evidence goes to the folder that GitLab keeps, and nowhere else."""
    return tuple(option for option in inputs(command) if option.name != EVIDENCE.name)


def template(command: Command) -> str:
    """The template of a verb."""
    job = JOBS[command.name]
    lines = [f"# {command.summary}", "spec:", "  inputs:"]
    for one in (*_verb_inputs(command, job), *_job_inputs(command, job), *_library_inputs()):
        lines += one.lines()
    lines += ["---", '"$[[ inputs.job-name ]]":', *_job(command, job)]
    return _HEAD + "\n".join(lines) + "\n"


def component(command: Command) -> str:
    """The component of a verb."""
    job = JOBS[command.name]
    every = (*_verb_inputs(command, job), *_job_inputs(command, job), *_library_inputs())
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


def _verb_inputs(command: Command, job: Job) -> Iterator[Input]:
    for option in options(command):
        yield _verb_input(option)
    if job.action:
        yield Input(name="tier", description="GitLab's `deployment_tier` of the environment.", options=TIERS)


def _verb_input(option: Option) -> Input:
    told = description(option)
    if option.name in ("environment", "stack"):
        # They name GitLab's environment and its lock as well, before any variable has a value.
        optional = "" if option.required else "|^$"
        regex = f"{NAME}{optional}"
        default = None if option.required else ""
        return Input(name=option.name, description=told, regex=regex, default=default)
    if option.where is Where.SECRET:
        told += " Only as the name of a masked variable, such as $CI_REGISTRY_PASSWORD."
        return Input(name=option.name, description=told, regex=_SECRET, default="")
    if option.kind is Kind.FLAG:
        return Input(name=option.name, description=told, type="boolean", default=False)
    if option.kind is Kind.NUMBER:
        return Input(name=option.name, description=told, type="number", default=int(option.default))
    return Input(name=option.name, description=told, default=None if option.required else option.default)


def _job_inputs(command: Command, job: Job) -> Iterator[Input]:
    yield Input(name="job-name", default=command.name, description="Name of the job.")
    yield Input(name="stage", default=job.stage, description="Stage of the job; `stages:` is yours.")
    waits = "Jobs to wait for, as `needs:` takes them; [] starts at once, whatever the stage."
    yield Input(name="needs", type="array", default=[] if job.alone else None, description=waits)
    condition = "When the pipeline has this job, as `rules:if` takes it."
    yield Input(name="rules-if", default=job.rule, description=condition)
    start = "How it starts; `manual` waits for a person."
    yield Input(name="when", default=job.when, options=WHENS, description=start)
    if job.freeze:
        yield Input(
            name="on-freeze",
            default="manual",
            options=("manual", "never"),
            description="What it is in a pipeline that a deploy freeze met: a button, or not there.",
        )
    if job.optional:
        told = "While nobody has pressed it the pipeline goes on, and its failure is a warning there."
        yield Input(name="allow-failure", type="boolean", default=True, description=told)
    yield Input(name="tags", type="array", default=[], description="Tags of the runner.")
    image = "Image with Python ≥ 3.11, bash, git and what the verb calls; a shell runner does not use it."
    yield Input(name="job-image", default=IMAGE, description=image)


def _library_inputs() -> Iterator[Input]:
    yield Input(
        name="library-project",
        default="org/deploy-actions",
        regex=PROJECT,
        description="Path of deploy-actions on this GitLab; its job token allowlist must hold this project.",
    )
    yield Input(
        name="library-ref",
        default=f"v{VERSION}",
        regex=REF,
        description="Its commit, 40 digits, or the tag of a release.",
    )


def _job(command: Command, job: Job) -> Iterator[str]:
    yield "  stage: $[[ inputs.stage ]]"
    yield "  needs: $[[ inputs.needs ]]"
    yield from _rules(job)
    if job.question:
        yield f"  manual_confirmation: {_text(job.question)}"
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
    yield f"  interruptible: {_text(not job.changes)}"
    yield f"  timeout: {job.hours} {'hour' if job.hours == 1 else 'hours'}"
    yield "  # Whether it is tried again is for a person to say, or for the next pipeline."
    yield "  retry: 0"
    yield from _variables(command)
    yield "  cache:"
    yield f"    key: deploy-actions-{_locked()}"
    yield f"    paths: [{_DOWNLOADS}]"
    yield from _script(command)
    yield from _artifacts(command)


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


def _text(value: object) -> str:
    """A YAML scalar or list; JSON's is one."""
    return json.dumps(value, ensure_ascii=False)
