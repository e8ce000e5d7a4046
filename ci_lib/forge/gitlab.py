"""``Forge`` for GitLab: one module a subject, each loaded with python-gitlab when it is asked first."""

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
from ci_lib.forge.gitlab_run import GitLabRun
from ci_lib.ports.protocols import Clock, Net

if TYPE_CHECKING:  # takes as long as half of a command
    from ci_lib.forge.gitlab_client import Access

_FRESH: Final = 30.0


class GitLab:
    """The GitLab that a job belongs to; nothing is asked before it has to be.

    ``job_token`` is CI_JOB_TOKEN. ``own_token`` is GITLAB_TOKEN, empty for none: it is for what no job's
    token may, and for what this one is refused.
    """

    def __init__(self, *, run: GitLabRun, job_token: str, own_token: str, net: Net, clock: Clock) -> None:
        self._run = run
        self._job_token = job_token
        self._own_token = own_token
        self._net = net
        self._clock = clock
        self._states: dict[str, tuple[float, RunState]] = {}

    def run_state(self, owner: str) -> RunState:
        """As ``Forge.run_state``; only jobs of our own project are known.

        An answer stays for half a minute: who waits for a lock asks every few seconds.
        """
        now = self._clock.monotonic()
        asked, state = self._states.get(owner, (now, None))
        if state is None or now - asked >= _FRESH:
            state = self._state(owner)
            self._states[owner] = self._clock.monotonic(), state
        return state

    def _state(self, owner: str) -> RunState:
        from ci_lib.forge.gitlab_runs import owner_of, run_state

        named = owner_of(owner)
        if named is None:
            return RunState.UNKNOWN
        try:
            return run_state(self._access, self._run, named, self._clock.now())
        except ForgeFault:
            return RunState.UNKNOWN

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """As ``Forge.reviews``."""
        from ci_lib.forge.gitlab_runs import reviews

        return reviews(self._access, self._run, environment)

    def commit_checks(self, sha: str) -> tuple[CommitCheck, ...]:
        """As ``Forge.commit_checks``."""
        from ci_lib.forge.gitlab_checks import commit_checks

        return commit_checks(self._access, self._run, sha)

    def branch_rules(self, branch: str) -> BranchRules:
        """As ``Forge.branch_rules``."""
        from ci_lib.forge.gitlab_rules import branch_rules

        return branch_rules(self._access, branch)

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        """As ``Forge.environment_rules``."""
        from ci_lib.forge.gitlab_rules import environment_rules

        return environment_rules(self._access, environment)

    def variable_names(self, environment: str) -> frozenset[str]:
        """As ``Forge.variable_names``."""
        from ci_lib.forge.gitlab_checks import variable_names

        return variable_names(self._access, self._run, environment)

    def record_deployment(self, deployment: Deployment) -> str:
        """As ``Forge.record_deployment``."""
        from ci_lib.forge.gitlab_deployments import record_deployment

        return record_deployment(self._access, self._run, deployment)

    def name_run(self, name: str) -> None:
        """As ``Forge.name_run``: the pipeline's name."""
        from ci_lib.forge.gitlab_deployments import name_pipeline

        name_pipeline(self._access, self._run, name)

    def comment(self, mark: str, markdown: str) -> str:
        """As ``Forge.comment``."""
        from ci_lib.forge.gitlab_talk import comment

        return comment(self._access, self._run, mark, markdown)

    def issue(self, mark: str, title: str, markdown: str) -> str:
        """As ``Forge.issue``."""
        from ci_lib.forge.gitlab_talk import issue

        return issue(self._access, mark, title, markdown)

    def close_issue(self, mark: str, markdown: str) -> str:
        """As ``Forge.close_issue``."""
        from ci_lib.forge.gitlab_talk import close_issue

        return close_issue(self._access, mark, markdown)

    def release(self, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
        """As ``Forge.release``."""
        from ci_lib.forge.gitlab_release import release

        return release(self._access, self._run, tag, title, notes, files)

    @cached_property
    def _access(self) -> "Access":
        from ci_lib.forge.gitlab_client import Access

        return Access(self._run, self._net, self._clock, job=self._job_token, own=self._own_token)
