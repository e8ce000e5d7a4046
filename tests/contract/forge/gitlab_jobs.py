"""The job that asks in these tests: 70 of pipeline 6, in a pipeline of the branch main."""

from datetime import UTC, datetime

from ci_lib.domain.forge import ForgeFault
from ci_lib.forge.gitlab import GitLab
from ci_lib.forge.gitlab_run import GitLabRun
from tests.contract.forge.fake_gitlab import JOB, OWN, FakeGitLab
from tests.contract.forge.gitlab_contract import API
from tests.contract.forge.gitlab_pages import PAGE
from tests.fakes import FakeClock

RUN = GitLabRun(
    api=API,
    project=7,
    path="acme/shop",
    url=PAGE,
    pipeline=6,
    job=70,
    sha="c" * 40,
    ref="main",
    default_branch="main",
    protected=True,
    request=12,
    created=datetime(2026, 1, 2, 2, 0, tzinfo=UTC),
    started=datetime(2026, 1, 2, 3, 0, tzinfo=UTC),
)


def adapter(
    lab: FakeGitLab, run: GitLabRun = RUN, *, job: str = JOB, own: str = OWN, clock: FakeClock | None = None
) -> GitLab:
    """A new one each time: it remembers nothing of the others."""
    return GitLab(run=run, job_token=job, own_token=own, net=lab, clock=clock or FakeClock())


def check_fault(fault: ForgeFault, *tokens: str) -> None:
    """It is plain, shows none of the tokens (both, if none is named), and nothing else hangs on it."""
    assert type(fault) is ForgeFault
    for token in filter(None, tokens or (JOB, OWN)):
        assert token not in f"{fault} {fault.hint}"
    assert fault.__cause__ is None
    assert str(fault).isprintable()
    assert len(str(fault)) < 1000
