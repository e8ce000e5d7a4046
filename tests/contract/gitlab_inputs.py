"""The inputs of a verb's template for GitLab: its options, what its job is like, and which library runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_lib.cli.options import EVIDENCE, Kind, Option, Where
from ci_lib.cli.table import Command
from ci_lib.config.patterns import ENV, NAME
from ci_lib.version import VERSION
from tests.contract.action_files import description, inputs
from tests.contract.gitlab_jobs import IMAGE, JOBS, Job

TIERS: Final = ("production", "staging", "testing", "development", "other")
WHENS: Final = ("on_success", "manual", "always", "on_failure")
PROJECT: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"
REF: Final = r"^([0-9a-f]{40}|v[0-9]+(\.[0-9]+){0,2})$"

_SECRET: Final = rf"^(\${ENV[1:-1]})?$"


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
        yield f"      description: {text(self.description)}"
        if self.type != "string":
            yield f"      type: {self.type}"
        if self.default is not None:
            yield f"      default: {text(self.default)}"
        if self.options:
            yield f"      options: {text(list(self.options))}"
        if self.regex:
            yield f"      regex: {text(self.regex)}"


def text(value: object) -> str:
    """A YAML scalar or list; JSON's is one."""
    return json.dumps(value, ensure_ascii=False)


def every_input(command: Command) -> tuple[Input, ...]:
    """All inputs of a verb, in their order."""
    job = JOBS[command.name]
    return (*_verb_inputs(command, job), *_job_inputs(command, job), *_library_inputs())


def options(command: Command) -> tuple[Option, ...]:
    """The options that are inputs; the evidence goes to the folder that GitLab keeps, and nowhere else."""
    return tuple(option for option in inputs(command) if option.name != EVIDENCE.name)


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
    if job.action == "stop":
        told = "The job that deploys or promotes there: stopping its environment starts this one."
        yield Input(name="deploy-job", description=told)
        told = "The job that rolls back there, if the pipeline has one; likewise."
        yield Input(name="rollback-job", default=".no-rollback", description=told)
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
    image = "Image with Python ≥ 3.11 (pip, venv), bash, git, and what the verb calls."
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
