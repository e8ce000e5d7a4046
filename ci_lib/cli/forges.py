"""The forge of this run: which one it is, and the tokens with which it is asked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from ci_lib.cli.console import Session
from ci_lib.cli.options import FORGE_TOKEN
from ci_lib.domain.forge import Forge, RunState
from ci_lib.ports.protocols import Process
from ci_lib.ports.system import SystemClock


def _github(session: Session) -> Forge:
    """The GitHub of this run; PyGithub is loaded when it is asked something."""
    from ci_lib.forge.github import GitHub
    from ci_lib.forge.github_run import run_of
    from ci_lib.forge.none import NoForge
    from ci_lib.ports.net import RequestsNet

    token = (session.env.get(FORGE_TOKEN.variable) or session.env.get("GITHUB_TOKEN", "")).strip()
    run = run_of(session.env)
    if not token:
        why = f"the job hands over no token (input `{FORGE_TOKEN.name}`, or GITHUB_TOKEN)"
        return NoForge(why, request=run is None or bool(run.request))
    session.mask([token])
    if run is None:
        return NoForge("the runner's variables name no repository, run and API that can be asked")
    return GitHub(run=run, token=token, net=RequestsNet(session.env), clock=SystemClock())


def _gitlab(session: Session) -> Forge:
    """The GitLab of this job; python-gitlab is loaded when it is asked something.

    A job's own token, which every job has, does what it may; GITLAB_TOKEN does the rest.
    """
    from ci_lib.forge.gitlab import GitLab
    from ci_lib.forge.gitlab_run import run_of
    from ci_lib.forge.none import NoForge
    from ci_lib.ports.net import RequestsNet

    env = session.env
    job = env.get("CI_JOB_TOKEN", "").strip()
    own = (env.get(FORGE_TOKEN.variable) or env.get("GITLAB_TOKEN", "")).strip()
    session.mask(token for token in (job, own) if token)
    run = run_of(env)
    if run is None:
        return NoForge("the runner's variables name no project, job and API that can be asked")
    if not (job or own):
        why = "the job hands over no token (CI_JOB_TOKEN, or GITLAB_TOKEN)"
        return NoForge(why, request=bool(run.request))
    return GitLab(run=run, job_token=job, own_token=own, net=RequestsNet(env), clock=SystemClock())


FORGES: Final[Mapping[str, Callable[[Session], Forge]]] = {"github": _github, "gitlab": _gitlab}
"""Makers by the name of the CI."""


def forge_of(session: Session) -> Forge:
    """The forge of this run; one that answers nothing on a terminal."""
    from ci_lib.forge.none import NoForge

    make = FORGES.get(session.facts.provider)
    return make(session) if make else NoForge()


_AT_A_TERMINAL: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "github": ("GITHUB_REPOSITORY", {"GITHUB_RUN_ID": "1"}),
    "gitlab": (
        "CI_PROJECT_ID",
        {"CI_PIPELINE_ID": "1", "CI_JOB_ID": "1", "CI_COMMIT_REF_PROTECTED": "true"},
    ),
}
"""The variable that names a repository or project, and what stands for a run of it.

Its numbers are not asked about. It is a run of a protected branch: releases come from one.
"""

_NAME_ONE: Final = (
    "run it in a job, or set GITHUB_REPOSITORY and GITHUB_TOKEN; for GitLab CI_API_V4_URL, CI_PROJECT_ID "
    "and GITLAB_TOKEN"
)


def forge_name(session: Session) -> str:
    """The forge of this run, ``github`` or ``gitlab``; on a terminal that of its variables, or none."""
    if session.facts.provider in FORGES:
        return session.facts.provider
    return next((name for name, (place, _) in _AT_A_TERMINAL.items() if session.env.get(place)), "")


def forge_at_hand(session: Session) -> Forge:
    """As ``forge_of``; on a terminal the forge of its variables, for questions about no run.

    There GITHUB_REPOSITORY, or CI_API_V4_URL and CI_PROJECT_ID, say what is asked about, with a person's
    token.
    """
    from ci_lib.forge.none import NoForge

    name = forge_name(session)
    if not name:
        return NoForge("no forge is named here", hint=_NAME_ONE)
    _, run = _AT_A_TERMINAL[name]
    return FORGES[name](replace(session, env={**run, **session.env}))


def run_state_of(forge: Forge) -> Callable[[str], RunState]:
    """Whether a lock's owner goes on: processes of this machine are looked at, a forge knows its own runs."""

    def run_state(owner: str) -> RunState:
        from ci_lib.ports.processes import SystemProcesses, machine, process_table

        kind, _, rest = owner.partition(":")
        if kind != "local":
            return forge.run_state(owner)
        name, _, process = rest.rpartition("/")
        started, _, table = process.partition("@")
        pid, _, ticks = started.partition(".")
        if (name, table) != (machine(), process_table()) or not pid.isdecimal():
            return RunState.UNKNOWN
        alive = SystemProcesses().alive(Process(pid=int(pid), started=ticks))
        return RunState.ALIVE if alive else RunState.ENDED

    return run_state
