"""``Forge`` for GitHub: one module a subject, each loaded with PyGithub when it is asked first."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_lib.domain.forge import (
    BranchRules,
    CommitCheck,
    Deployment,
    EnvironmentRules,
    ForgeFault,
    Review,
    RunState,
)
from ci_lib.forge.github_run import GitHubRun
from ci_lib.ports.protocols import Clock, Net

if TYPE_CHECKING:  # takes as long as half of a command
    from github.Repository import Repository

_FRESH: Final = 30.0


class GitHub:
    """The GitHub that a run belongs to, asked with ``token``; nothing is asked before it has to be."""

    def __init__(self, *, run: GitHubRun, token: str, net: Net, clock: Clock) -> None:
        self._run = run
        self._token = token
        self._net = net
        self._clock = clock
        self._states: dict[str, tuple[float, RunState]] = {}

    def run_state(self, owner: str) -> RunState:
        """As ``Forge.run_state``; only runs of our own repository are known.

        An answer stays for half a minute: who waits for a lock asks every few seconds, and a job's token may
        ask a thousand times an hour for all jobs of a repository together.
        """
        now = self._clock.monotonic()
        asked, state = self._states.get(owner, (now, None))
        if state is None or now - asked >= _FRESH:
            state = self._state(owner)
            self._states[owner] = self._clock.monotonic(), state
        return state

    def _state(self, owner: str) -> RunState:
        from ci_lib.forge.github_runs import owner_of, run_state

        named = owner_of(owner)
        if named is None:
            return RunState.UNKNOWN
        try:
            return run_state(self._repo, self._run, named)
        except ForgeFault:
            return RunState.UNKNOWN

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """As ``Forge.reviews``."""
        from ci_lib.forge.github_runs import reviews

        return reviews(self._repo, self._run, environment)

    def commit_checks(self, sha: str) -> tuple[CommitCheck, ...]:
        """As ``Forge.commit_checks``."""
        from ci_lib.forge.github_checks import commit_checks

        return commit_checks(self._repo, sha)

    def branch_rules(self, branch: str) -> BranchRules:
        """As ``Forge.branch_rules``."""
        from ci_lib.forge.github_rules import branch_rules

        return branch_rules(self._repo, branch)

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        """As ``Forge.environment_rules``."""
        from ci_lib.forge.github_rules import environment_rules

        return environment_rules(self._repo, environment)

    def variable_names(self, environment: str) -> frozenset[str]:
        """As ``Forge.variable_names``."""
        from ci_lib.forge.github_checks import variable_names

        return variable_names(self._repo, environment)

    def record_deployment(self, deployment: Deployment) -> str:
        """As ``Forge.record_deployment``."""
        from ci_lib.forge.github_deployments import record_deployment

        return record_deployment(self._repo, self._run, deployment)

    def name_run(self, name: str) -> None:
        """GitHub takes the name from `run-name:` alone, and later changes nothing of it."""
        del name

    def comment(self, mark: str, markdown: str) -> str:
        """As ``Forge.comment``."""
        from ci_lib.forge.github_talk import comment

        return comment(self._repo, self._run, mark, markdown)

    def issue(self, mark: str, title: str, markdown: str) -> str:
        """As ``Forge.issue``."""
        from ci_lib.forge.github_talk import issue

        return issue(self._repo, mark, title, markdown)

    def close_issue(self, mark: str, markdown: str) -> str:
        """As ``Forge.close_issue``."""
        from ci_lib.forge.github_talk import close_issue

        return close_issue(self._repo, mark, markdown)

    def release(self, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
        """As ``Forge.release``."""
        from ci_lib.forge.github_release import release

        return release(self._repo, tag, title, notes, files)

    @cached_property
    def _repo(self) -> "Repository":
        from ci_lib.forge.github_client import repository
        from ci_lib.forge.github_transport import Transport

        transport = Transport(self._net, self._clock, self._token)
        return repository(self._run.repository, api=self._run.api, token=self._token, transport=transport)
