"""What every test of a forge starts with."""

from collections.abc import Callable

import pytest

from ci_lib.forge.github import GitHub
from ci_lib.forge.github_run import GitHubRun
from tests.contract.forge.fake_github import TOKEN, FakeGitHub
from tests.fakes import FakeClock

RUN = GitHubRun(
    repository="acme/shop", id=7, api="https://api.github.com", server="https://github.com", request=12
)


@pytest.fixture
def hub() -> FakeGitHub:
    """A GitHub in which our run, 7, goes on."""
    hub = FakeGitHub()
    hub.world.run(7)
    return hub


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def forge(hub: FakeGitHub, clock: FakeClock) -> Callable[..., GitHub]:
    """Makes the adapter; each call has one that remembers nothing of the others."""

    def make(run: GitHubRun = RUN) -> GitHub:
        return GitHub(run=run, token=TOKEN, net=hub, clock=clock)

    return make
