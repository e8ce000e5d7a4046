"""The one list of verbs, other commands and outputs.

The command line is built from it; ``action.yml`` files, templates and the reference page are held equal to it
by contract tests. Standard library only: ``--help`` reads this and ``cli/options.py``, and nothing else.
"""

from dataclasses import dataclass

from ci_lib.cli.options import (
    ALLOW_DIRTY,
    APPROVED_BACKUP,
    APPROVER,
    APPROVER_KEY,
    BACKUP,
    BRANCH,
    BUILT_ONLY,
    BUILT_VERSION,
    CI,
    COMMENT,
    CONFIG,
    DOWN_APPROVER,
    END,
    FORCE,
    FORGE_TOKEN,
    GATE,
    GATE_CHECK,
    GATES,
    HOURS,
    ISSUE,
    JOB,
    JSON,
    KEEP,
    LAST_GOOD,
    LIBRARY,
    LIMIT,
    LIST,
    LIST_BACKUPS,
    LOCK_WAIT,
    ONE_ENVIRONMENT,
    ONLY,
    OUT,
    OWNER,
    PASSWORD,
    PLACE,
    PLAN_HASH,
    PUBLISH,
    REASON,
    REF,
    RELEASE,
    ROLLBACK_ON_FAILURE,
    SCHEMA,
    SKIP_CHECKS,
    STACK,
    TAKEN,
    TRIED,
    UNLOCKER,
    USERNAME,
    VERIFIER,
    VERSION,
    Option,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What an action hands to the steps that follow."""

    name: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb or another command; ``action`` is True where it has an action of its own.

    A name of several words stands in the groups that its first words name, each of them in ``GROUPS``.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    action: bool = False
    outputs: tuple[Output, ...] = ()
    example: str = ""

    @property
    def module(self) -> str:
        """The module in ``ci_lib/cli/`` whose ``run`` does the work."""
        return self.name.replace("-", "_").replace(" ", "_")


_OUTPUTS = (
    Output(
        name="status",
        help="deployed, unchanged or passed, which are green; "
        "rolled_back, failed, refused, partial or unknown, which are red.",
    ),
    Output(name="reason-code", help="Why it ended so; docs/reference/exit-codes.md lists them all."),
    Output(name="version", help="The version that was asked for."),
    Output(name="release-id", help="SHA-256 of the release: its images by digest, and its files."),
    Output(name="image-digest", help="The image's digest; empty when the release has several images."),
    Output(name="images", help="JSON: the name of each image and its repository:tag@digest."),
    Output(name="previous-version", help="The version that ran before."),
    Output(name="evidence-path", help="The evidence folder on the runner; empty when there is none."),
    Output(name="evidence-name", help="The name of the evidence folder, and of the artifact made of it."),
    Output(name="result-path", help="The result as JSON, a file in the evidence folder."),
)

_PLANNED = Output(
    name="plan-hash", help="What `plan-hash` of deploy and promote takes: they refuse every other plan."
)

_DEPLOY = (*PLACE, *RELEASE, PLAN_HASH, *GATES, LOCK_WAIT, PUBLISH, *END)
_BACK = (SCHEMA, REASON, SKIP_CHECKS, APPROVER)
_LIST = (CONFIG, STACK, ONE_ENVIRONMENT, LIMIT, JSON)


def _verb(*, name: str, summary: str, options: tuple[Option, ...], example: str) -> Command:
    """A verb; all of them hand on the same outputs."""
    return Command(
        name=name, summary=summary, options=options, action=True, outputs=_OUTPUTS, example=example
    )


VERBS = (
    _verb(
        name="lint-test",
        summary="Run the project's own gate: linters, tests and scanners, judged by their reports.",
        options=(CONFIG, JOB, *END),
        example="deploy-actions lint-test --job unit",
    ),
    _verb(
        name="build",
        summary="Build a commit's images, push them under a version, and read their digests back.",
        options=(CONFIG, STACK, BUILT_ONLY, BUILT_VERSION, REF, ALLOW_DIRTY, USERNAME, PASSWORD, *END),
        example="deploy-actions build --stack shop",
    ),
    _verb(
        name="migrate",
        summary="Bring the database's schema to where a release wants it; what serves is left alone.",
        options=(*PLACE, *RELEASE, FORCE, REASON, LOCK_WAIT, *END),
        example="deploy-actions migrate --environment staging --version sha-1a2b3c4",
    ),
    _verb(
        name="deploy",
        summary="Bring a release into an environment, prove that it serves, or come back.",
        options=_DEPLOY,
        example="deploy-actions deploy --environment staging --version sha-1a2b3c4",
    ),
    _verb(
        name="post-verify",
        summary="Run all checks on what serves, and record the verdict.",
        options=(*PLACE, VERSION, ROLLBACK_ON_FAILURE, LOCK_WAIT, PUBLISH, *END),
        example="deploy-actions post-verify --environment staging --version sha-1a2b3c4",
    ),
    _verb(
        name="promote",
        summary="Deploy what the required environment has verified, by digest.",
        options=_DEPLOY,
        example="deploy-actions promote --environment production --version sha-1a2b3c4",
    ),
    _verb(
        name="rollback",
        summary="Go back to a release that served here before.",
        options=(
            *(*PLACE, VERSION, LAST_GOOD, LIST, ONLY, BACKUP),
            *(SCHEMA, REASON, SKIP_CHECKS, APPROVER, LOCK_WAIT, *END),
        ),
        example="deploy-actions rollback --environment production --last-good",
    ),
    _verb(
        name="take-down",
        summary="Take a stack down in an environment; data stay, and so does what a rollback needs.",
        options=(*PLACE, TAKEN, REASON, DOWN_APPROVER, LOCK_WAIT, *END),
        example="deploy-actions take-down --environment staging --version sha-1a2b3c4",
    ),
    _verb(
        name="preflight",
        summary="Run the checks before a deploy, and change nothing.",
        options=(*PLACE, *RELEASE, *END),
        example="deploy-actions preflight --environment production --version sha-1a2b3c4",
    ),
    _verb(
        name="backup",
        summary="Save files, settings and databases now.",
        options=(*PLACE, LIST_BACKUPS, LOCK_WAIT, *END),
        example="deploy-actions backup --environment production",
    ),
    _verb(
        name="restore",
        summary="Put the databases of a backup back under the release that serves, or come back.",
        options=(*PLACE, BACKUP, REASON, SKIP_CHECKS, APPROVER, LOCK_WAIT, *END),
        example="deploy-actions restore --environment production --backup 20260130T100000Z "
        "--reason 'orders were deleted by hand' --approver bob",
    ),
    _verb(
        name="restore-test",
        summary="Restore a backup into scratch containers, look into it, and change nothing.",
        options=(*PLACE, TRIED, *END),
        example="deploy-actions restore-test --environment production",
    ),
    _verb(
        name="drift",
        summary="Compare what runs with what was deployed last, and change nothing.",
        options=(*PLACE, LOCK_WAIT, ISSUE, *END),
        example="deploy-actions drift --environment production",
    ),
    _verb(
        name="finalize",
        summary="Clear up after a run that was cancelled or killed; safe at any time.",
        options=(*PLACE, *END),
        example="deploy-actions finalize --environment production",
    ),
)

COMMANDS = (
    Command(
        name="plan",
        summary="Show what a deploy would do, and change nothing; `--plan-hash` binds the deploy to it.",
        options=(*PLACE, *RELEASE, *GATES, COMMENT, JSON),
        action=True,
        outputs=(_PLANNED,),
        example="deploy-actions plan --environment production --version sha-1a2b3c4",
    ),
    Command(
        name="doctor",
        summary="Say what is missing for safe releases: branch, approvals, variables, machines, records.",
        options=(CONFIG, STACK, ONE_ENVIRONMENT, BRANCH, GATE_CHECK, FORGE_TOKEN, JSON),
        action=True,
        example="deploy-actions doctor --branch main --check Gate",
    ),
    Command(
        name="history",
        summary="Show what was deployed, newest first.",
        options=_LIST,
        example="deploy-actions history --stack shop",
    ),
    Command(
        name="verified show",
        summary="Show what was verified and still counts, newest first.",
        options=_LIST,
        example="deploy-actions verified show --stack shop",
    ),
    Command(
        name="verified check",
        summary="Ask the verified-image rule about a release, and show every condition.",
        options=(*PLACE, *RELEASE, JSON),
        example="deploy-actions verified check --environment production --version sha-1a2b3c4",
    ),
    Command(
        name="verified revoke",
        summary="Record that images must not be used any more, although they were verified.",
        options=(*PLACE, *RELEASE, REASON, JSON),
        example="deploy-actions verified revoke --environment staging --version sha-1a2b3c4 "
        "--reason 'holds a library with a known hole'",
    ),
    Command(
        name="approve",
        summary="Agree, with a signature, that somebody else opens a gate; or sign a release off.",
        options=(*PLACE, *RELEASE, GATE, APPROVED_BACKUP, REASON, HOURS, APPROVER_KEY, JSON),
        example="deploy-actions approve --environment production --gate force --version sha-1a2b3c4 "
        "--reason 'login is down, staging takes an hour'",
    ),
    Command(
        name="records verify",
        summary="Check a stack's whole ledger: chain, signatures and text views; print its head.",
        options=(CONFIG, STACK, JSON),
        example="deploy-actions records verify --stack shop",
    ),
    Command(
        name="keys new",
        summary="Make a pair of keys that verifications are signed with.",
        options=(OUT, ONE_ENVIRONMENT, VERIFIER, JSON),
        example="deploy-actions keys new --out staging.key --environment staging "
        "--verifier https://ci.example/acme/shop/staging",
    ),
    Command(
        name="keys show",
        summary="Show whose verifications count, by the policy.",
        options=(CONFIG, JSON),
        example="deploy-actions keys show",
    ),
    Command(
        name="status",
        summary="Show what runs now, proved container by container.",
        options=(*PLACE, JSON),
        example="deploy-actions status --environment production",
    ),
    Command(
        name="check-config",
        summary="Check deploy.yml, and print one stack and environment with everything filled in.",
        options=(CONFIG, STACK, ONE_ENVIRONMENT, JSON),
        example="deploy-actions check-config --environment production",
    ),
    Command(
        name="lock status",
        summary="Show who holds the lock of an environment, since when, and whether that run still lives.",
        options=(*PLACE, JSON),
        example="deploy-actions lock status --environment production",
    ),
    Command(
        name="lock release",
        summary="Release the lock of a run that is dead; the next run or finalize clears up after it.",
        options=(*PLACE, OWNER, REASON, UNLOCKER, *END),
        example="deploy-actions lock release --environment production --owner github:acme/shop/7/1/deploy "
        "--reason 'the runner machine was lost' --approver bob",
    ),
    Command(
        name="database provision",
        summary="Give each service its own database and its own user, with rights on nothing else.",
        options=(*PLACE, LOCK_WAIT, *END),
        example="deploy-actions database provision --stack infra --environment production",
    ),
    Command(
        name="init",
        summary="Write the project's pipelines, and deploy.yml to begin with; what is there stays.",
        options=(CONFIG, STACK, CI, LIBRARY, JSON),
        example="deploy-actions init --ci github --library acme/deploy-actions@v1",
    ),
    Command(
        name="demo",
        summary="Play a whole release story on local processes in a temporary folder.",
        options=(KEEP,),
        example="deploy-actions demo",
    ),
)

GROUPS = {
    "verified": "What passed where: look at it, ask about it, take it back.",
    "records": "The ledger as a whole.",
    "keys": "Keys that verifications are signed with.",
    "database": "Databases and their users on a server that services share.",
    "lock": "The lock that keeps two runs from changing one environment at once.",
}
"""What the first words of names have in common."""

TABLE = {command.name: command for command in (*VERBS, *COMMANDS)}
"""Every command by its name, in the order of the help page."""

ACTIONS = tuple(command for command in TABLE.values() if command.action)
"""The verbs, and what else a workflow uses."""
