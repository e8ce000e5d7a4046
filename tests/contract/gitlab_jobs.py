"""What a verb's job on GitLab is like, beside its options: one row a verb."""

from dataclasses import dataclass
from typing import Final

from ci_lib.cli.table import ACTIONS

IMAGE: Final = "python:3.12"
"""Has Python, bash, git and ssh, which is all that a deploy over SSH takes."""

_BRANCH: Final = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
_DELIVERY: Final = f'{_BRANCH} && $CI_PIPELINE_SOURCE != "schedule"'
_REQUEST: Final = '$CI_PIPELINE_SOURCE == "merge_request_event"'
_GATE: Final = f'{_REQUEST} || ({_DELIVERY})'
_SCHEDULE: Final = f'{_BRANCH} && $CI_PIPELINE_SOURCE == "schedule"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The defaults of a verb's job, and what about it is no choice.

    ``action`` is GitLab's `environment:action`, empty where the verb knows no environment. ``freeze``:
    whether a deploy freeze holds it. ``alone``: it may start without waiting for anything; else `needs` must
    be named. ``question`` is asked before a job that a person starts. ``optional``: a button that nobody
    pressed does not hold the pipeline. ``changes``: a newer pipeline must not cut it off.
    """

    stage: str
    rule: str
    when: str = "on_success"
    action: str = ""
    freeze: bool = False
    alone: bool = False
    question: str = ""
    optional: bool = False
    changes: bool = True
    hours: int = 1


_DEPLOY: Final = "deploy"
_CARE: Final = "maintenance"

JOBS: Final = {
    "lint-test": Job(stage="lint-test", rule=_GATE, alone=True, changes=False),
    "build": Job(stage="build", rule=_DELIVERY),
    "migrate": Job(stage="migrate", rule=_DELIVERY, action="prepare", freeze=True),
    "deploy": Job(stage=_DEPLOY, rule=_DELIVERY, action="start", freeze=True),
    "post-verify": Job(stage="post-verify", rule=_DELIVERY, action="verify"),
    "promote": Job(
        stage=_DEPLOY,
        rule=_DELIVERY,
        when="manual",
        action="start",
        freeze=True,
        question="Promote to $[[ inputs.environment ]] what the environment before it has verified?",
    ),
    "rollback": Job(
        stage="rollback",
        rule=_DELIVERY,
        when="manual",
        action="start",
        alone=True,
        question="Take $[[ inputs.environment ]] back to an earlier release?",
        optional=True,
    ),
    "take-down": Job(
        stage="take-down",
        rule=_DELIVERY,
        when="manual",
        action="stop",
        alone=True,
        question="Take $[[ inputs.environment ]] down?",
        optional=True,
    ),
    "plan": Job(stage="plan", rule=_REQUEST, action="access", changes=False),
    "preflight": Job(stage="preflight", rule=_DELIVERY, action="prepare", changes=False),
    "backup": Job(stage=_CARE, rule=_SCHEDULE, action="access", alone=True),
    "restore": Job(
        stage=_CARE,
        rule=_DELIVERY,
        when="manual",
        action="access",
        alone=True,
        question="Put the databases of $[[ inputs.environment ]] back to the state of a backup?",
        optional=True,
    ),
    "restore-test": Job(stage=_CARE, rule=_SCHEDULE, action="access", alone=True, hours=2),
    "drift": Job(stage=_CARE, rule=_SCHEDULE, action="access", alone=True, changes=False),
    "finalize": Job(stage="finalize", rule=_DELIVERY, when="on_failure", action="access"),
}

TEMPLATED: Final = tuple(command for command in ACTIONS if command.name in JOBS)
"""What has a template: a person calls `doctor` by hand, or in a job of their own."""
