"""A forge in memory that remembers what it was told; `fault` comes in place of every answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_lib.domain.forge import (
    BranchRules,
    CommitCheck,
    Deployment,
    EnvironmentRules,
    Review,
    RunState,
)

URL = "https://forge.example/1"


@dataclass
class FakeForge:
    """It implements `Forge`. `checks`: commit → its checks; `told`: what was called, with which words."""

    fault: BaseException | None = None
    checks: dict[str, tuple[CommitCheck, ...]] = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def run_state(self, owner: str) -> RunState:
        return RunState.UNKNOWN

    def reviews(self, environment: str) -> tuple[Review, ...]:
        raise AssertionError(environment)

    def commit_checks(self, sha: str) -> tuple[CommitCheck, ...]:
        self._answer("checks", sha)
        return self.checks.get(sha, ())

    def branch_rules(self, branch: str) -> BranchRules:
        raise AssertionError(branch)

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        raise AssertionError(environment)

    def variable_names(self, environment: str) -> frozenset[str]:
        raise AssertionError(environment)

    def record_deployment(self, deployment: Deployment) -> str:
        self.deployments.append(deployment)
        return self._answer("deployment", deployment.version)

    def name_run(self, name: str) -> None:
        self.names.append(name)

    def comment(self, mark: str, markdown: str) -> str:
        return self._answer("comment", mark, markdown)

    def issue(self, mark: str, title: str, markdown: str) -> str:
        return self._answer("issue", mark, title, markdown)

    def close_issue(self, mark: str, markdown: str) -> str:
        return self._answer("close", mark, markdown)

    def release(self, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
        return self._answer("release", tag, title, notes, {name: p.read_bytes() for name, p in files.items()})

    def _answer(self, *words: Any) -> str:
        self.told.append(words)
        if self.fault is not None:
            raise self.fault
        return URL
