"""No forge: nothing is known of any run, and nothing can be told to anybody."""

from collections.abc import Mapping
from pathlib import Path

from ci_lib.domain.forge import (
    BranchRules,
    CommitCheck,
    Deployment,
    EnvironmentRules,
    ForgeFault,
    Review,
    RunState,
)


class NoForge:
    """``Forge`` where none can be asked: for a run at a terminal, or without a token.

    ``request``: whether this run may have a pull or merge request, to which a comment would belong.
    """

    def __init__(
        self, why: str = "this run belongs to no forge", *, hint: str = "", request: bool = True
    ) -> None:
        self._why = why
        self._hint = hint
        self._request = request

    def run_state(self, owner: str) -> RunState:
        """Unknown, whatever the owner."""
        del owner
        return RunState.UNKNOWN

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """No answer."""
        raise self._fault(f"the reviews of {environment}")

    def commit_checks(self, sha: str) -> tuple[CommitCheck, ...]:
        """No answer."""
        raise self._fault(f"the checks of {sha}")

    def branch_rules(self, branch: str) -> BranchRules:
        """No answer."""
        raise self._fault(f"the protection of {branch}")

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        """No answer."""
        raise self._fault(f"the protection of {environment}")

    def variable_names(self, environment: str) -> frozenset[str]:
        """No answer."""
        raise self._fault(f"the variables of {environment}")

    def record_deployment(self, deployment: Deployment) -> str:
        """There is no page of deployments."""
        raise self._fault(f"the deployment record of {deployment.environment}")

    def name_run(self, name: str) -> None:
        """No list of runs is known."""
        del name

    def comment(self, mark: str, markdown: str) -> str:
        """Nothing is missing without a request; else it cannot be commented on."""
        del markdown
        if not self._request:
            return ""
        raise self._fault(f"a comment ({mark})")

    def issue(self, mark: str, title: str, markdown: str) -> str:
        """There are no issues."""
        del mark, markdown
        raise self._fault(f"the issue {title!r}")

    def close_issue(self, mark: str, markdown: str) -> str:
        """There are no issues."""
        del markdown
        raise self._fault(f"the issue to close ({mark})")

    def release(self, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
        """There are no releases."""
        del title, notes, files
        raise self._fault(f"the release of {tag}")

    def _fault(self, what: str) -> ForgeFault:
        return ForgeFault(f"{what} cannot be had: {self._why}", hint=self._hint)
