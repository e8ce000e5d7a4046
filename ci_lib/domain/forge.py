"""What may be asked of the service that CI runs belong to (GitHub, GitLab), and told to it, as a protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ci_lib.domain.text import one_line


class RunState(StrEnum):
    """Whether the run that holds a lock still goes on."""

    ALIVE = "alive"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person has let this very run go on into an environment.

    ``since`` is a moment, in UTC, before which it was surely not given: a forge need not say when it was.
    ``where`` is the URL at which people see it.
    """

    reviewer: str
    since: datetime
    where: str


class CheckState(StrEnum):
    """What the forge says of one check of a commit."""

    PASSED = "passed"
    FAILED = "failed"
    RUNNING = "running"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitCheck:
    """The newest state of one check (check run, commit status, job of a pipeline) of a commit.

    A check that another workflow run or pipeline has as well, by the same name, is one more.
    """

    name: str
    state: CheckState
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRules:
    """What protects a branch, taken together from all rules that apply to it.

    ``checks`` are names of checks that must have passed before a merge; ``reviews`` is how many people must
    approve, ``owners`` whether those of CODEOWNERS must, ``self_review`` whether who wrote a change is one of
    those who may. ``rewritable``: somebody may force-push to it.
    ``open_to_push``: whoever writes code may push to it without a merge request, and so without its checks.
    ``bypass`` says in words who is exempt, empty for nobody.
    """

    protected: bool
    checks: tuple[str, ...] = ()
    reviews: int = 0
    owners: bool = False
    self_review: bool = False
    rewritable: bool = False
    open_to_push: bool = False
    bypass: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """What protects an environment: who must approve a run that enters it, and which branches may.

    ``reviewers`` are users and teams as CODEOWNERS writes them (``@ann``, ``@acme/ops``), ``approvals`` how
    many of them it takes. With ``self_review``, who starts a run may approve it. ``branches`` are patterns of
    those that may deploy, of tags with ``refs/tags/`` before them; empty for all.

    ``deployers`` are users and teams, or roles by the forge's own word (``Maintainers``), who alone may start
    a run that enters it; empty for all who may start one. ``bypass`` says in words who is exempt, empty for
    nobody.
    """

    reviewers: tuple[str, ...] = ()
    approvals: int = 0
    self_review: bool = True
    branches: tuple[str, ...] = ()
    deployers: tuple[str, ...] = ()
    bypass: str = ""


class DeploymentState(StrEnum):
    """How a deployment ended; the forge is told nothing before."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a run did to an environment, for the forge's own page of deployments.

    ``stack`` is what was deployed there: several may share an environment, and a run. ``sha`` is the commit
    of the version, not that of the run; empty where it is not known: then only a record that the forge made
    by itself can say what happened. ``version`` serves now, or was tried in vain. ``url`` is where it serves.

    ``back`` is the version that was proved to serve again after a failure, empty for none, and ``back_sha``
    its commit: for a forge that goes on to show as deployed what succeeded last.
    """

    stack: str
    environment: str
    sha: str
    version: str
    state: DeploymentState
    description: str
    url: str = ""
    production: bool = False
    back: str = ""
    back_sha: str = ""


class ForgeFault(Exception):
    """The forge gives no answer, or one that cannot be used.

    ``str()`` says what was asked and why there is no answer; ``hint`` what to do, such as which permission
    the token lacks.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def no_commit(deployment: Deployment) -> ForgeFault:
    """Why no record can be made of a deployment whose commit is not known."""
    return ForgeFault(
        f"the commit of {one_line(deployment.version, 60)} is not known",
        hint="label the image with org.opencontainers.image.revision, as `build` does, or tag it "
        "sha-<commit>",
    )


class Forge(Protocol):
    """The service that CI runs belong to, seen from this run.

    Every method but ``run_state`` raises ``ForgeFault`` where there is no answer, a permission is missing, or
    the answer is none that the forge's documentation knows: what cannot be told is never a pass. Names and
    texts that are handed in may be anything; those that come back may be hostile.
    """

    def run_state(self, owner: str) -> RunState:
        """Whether the run goes on that a lock's owner names, ``github:acme/shop/7/1/deploy@box-1`` for one.

        ENDED only where no step of that very job, in that very attempt, can run any more: the lock of a run
        that is said to have ended is taken over at once. UNKNOWN for an owner of another service, and
        whenever there is no answer; raises nothing. What stands in ``owner`` was read from a host, and may be
        any text.
        """

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """Who has approved that this run enters an environment, which the forge knows by the same name.

        Who rejected it, or has not answered, is left out; so is who did both, where it cannot be told which
        came last.
        """

    def commit_checks(self, sha: str) -> tuple[CommitCheck, ...]:
        """The checks of a commit, sorted by name; empty where nothing ever checked it."""

    def branch_rules(self, branch: str) -> BranchRules:
        """What protects a branch."""

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        """What protects an environment; None where the forge does not know it."""

    def variable_names(self, environment: str) -> frozenset[str]:
        """Names of the variables and secrets that a job of an environment is given; never their values."""

    def record_deployment(self, deployment: Deployment) -> str:
        """Show on the forge's page of deployments what this run did; returns its URL, empty for none.

        Never makes a second record beside that which the forge made itself for a job with ``environment:``,
        unless that one has the wrong commit and the forge offers no other way to say so. Running it twice
        leaves one record. Raises ``ForgeFault`` where a record is to be made and the commit is not known.
        """

    def name_run(self, name: str) -> None:
        """Call this run so in the forge's list of runs; nothing where it takes a name from the file alone."""

    def comment(self, mark: str, markdown: str) -> str:
        """Write, or write anew, the one comment with this hidden mark below this run's pull or merge request.

        Returns its URL; empty for a run that has no such request. Only comments of our own user are changed.
        """

    def issue(self, mark: str, title: str, markdown: str) -> str:
        """Open, or write anew, the one open issue with this hidden mark; returns its URL."""

    def close_issue(self, mark: str, markdown: str) -> str:
        """Close the open issue with this hidden mark with a last comment; returns its URL, empty for none."""

    def release(self, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
        """Make the release of a tag that exists, or complete it; returns its URL.

        ``files`` (name → file) are attached to it; one that is there with the same size and content is left,
        one that differs is a fault: what was published is never replaced.
        """
