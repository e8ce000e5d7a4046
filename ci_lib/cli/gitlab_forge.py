"""The GitLab of this job, and the tokens with which it is asked."""

from ci_lib.cli.console import Session
from ci_lib.cli.options import FORGE_TOKEN
from ci_lib.domain.forge import Forge
from ci_lib.forge.gitlab_run import run_of
from ci_lib.forge.none import NoForge
from ci_lib.ports.system import SystemClock


def gitlab_of(session: Session) -> Forge:
    """The GitLab of this job; python-gitlab is loaded when it is asked something.

    A job's own token, which every job has, does what it may; GITLAB_TOKEN does the rest.
    """
    from ci_lib.forge.gitlab import GitLab
    from ci_lib.ports.net import RequestsNet

    env = session.env
    job = env.get("CI_JOB_TOKEN", "").strip()
    own = (env.get(FORGE_TOKEN.variable) or env.get("GITLAB_TOKEN", "")).strip()
    session.mask(token for token in (job, own) if token)
    run = run_of(env)
    if run is None:
        return NoForge("the runner's variables name no project, job and API that can be asked")
    if not (job or own):
        return NoForge("the job hands over no token (CI_JOB_TOKEN, or GITLAB_TOKEN)")
    return GitLab(run=run, job_token=job, own_token=own, net=RequestsNet(env), clock=SystemClock())
