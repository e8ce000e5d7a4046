"""The one list of verbs, options and outputs.

The command line is built from it; ``action.yml`` files, templates and the reference page are held equal to it
by contract tests. Standard library only: ``--help`` reads this and nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "DEPLOY_ACTIONS_"
"""Options are also environment variables of this prefix: flag beats environment beats default."""


class Kind(StrEnum):
    """What an option takes."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    MANY = "many"


class Where(StrEnum):
    """Where an option exists.

    EVERYWHERE: flag, environment variable, input of the action. GATE: opens a gate, so it is never read from
    the environment; an action hands it on as a flag. TERMINAL: flag only.
    """

    EVERYWHERE = "everywhere"
    GATE = "gate"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option: ``name`` in kebab case is flag, input and, with the prefix, variable."""

    name: str
    help: str
    kind: Kind = Kind.TEXT
    where: Where = Where.EVERYWHERE
    metavar: str = ""
    default: str = ""
    required: bool = False

    @property
    def variable(self) -> str:
        """The environment variable, empty where there is none."""
        return PREFIX + self.name.upper().replace("-", "_") if self.where is Where.EVERYWHERE else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What an action hands to the steps that follow."""

    name: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb (``action`` is True: it has an action of its own) or another command."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    action: bool = False
    outputs: tuple[Output, ...] = ()
    example: str = ""


CONFIG = Option(name="config", metavar="FILE", default="deploy.yml", help="The configuration file.")
STACK = Option(name="stack", metavar="NAME", help="Stack; needed when deploy.yml has several.")
ENVIRONMENT = Option(name="environment", metavar="NAME", required=True, help="Environment to work on.")
ONE_ENVIRONMENT = Option(name="environment", metavar="NAME", help="Only this environment.")
VERSION = Option(
    name="version",
    metavar="TAG",
    help="Image tag of all images, or of those named by --only; or NAME:TAG,NAME:TAG.",
)
IMAGE = Option(
    name="image",
    metavar="NAME=REF",
    kind=Kind.MANY,
    help="One image by tag or digest; repeatable. The name may be left out when the stack has one image.",
)
ONLY = Option(
    name="only",
    metavar="NAME",
    kind=Kind.MANY,
    help="Change these images alone; the others stay. Repeatable.",
)
REASON = Option(name="reason", metavar="TEXT", help="Why a gate is opened; recorded and shown.")
FORCE = Option(
    name="force",
    metavar="VERSION",
    where=Where.GATE,
    help="Let exactly this version or digest past the verified-image rule; needs --reason.",
)
SKIP_CHECKS = Option(
    name="skip-checks",
    kind=Kind.FLAG,
    where=Where.GATE,
    help="Do not run the checks; needs --reason and --approver. Never counts as verified.",
)
APPROVER = Option(name="approver", metavar="NAME", where=Where.GATE, help="Who agreed to --skip-checks.")
LOCK_WAIT = Option(
    name="lock-wait",
    metavar="SECONDS",
    kind=Kind.NUMBER,
    default="0",
    help="How long to wait while another run holds the lock.",
)
EVIDENCE = Option(
    name="evidence",
    metavar="DIR",
    help="Folder in which the evidence folder is made; the runner's temporary one.",
)
JSON = Option(
    name="json", kind=Kind.FLAG, where=Where.TERMINAL, help="Print the result as JSON and nothing else."
)
ROLLBACK_ON_FAILURE = Option(
    name="rollback-on-failure", kind=Kind.FLAG, help="Go back to the last good release when a check fails."
)
LAST_GOOD = Option(
    name="last-good", kind=Kind.FLAG, help="The newest earlier release that served here and is not bad."
)
LIST = Option(name="list", kind=Kind.FLAG, help="List what can be rolled back to, and change nothing.")
LIMIT = Option(
    name="limit", metavar="N", kind=Kind.NUMBER, default="20", where=Where.TERMINAL, help="How many to show."
)
KEEP = Option(
    name="keep", kind=Kind.FLAG, where=Where.TERMINAL, help="Keep the temporary folder to look around in it."
)

_PLACE = (CONFIG, STACK, ENVIRONMENT)
_GATES = (FORCE, REASON, SKIP_CHECKS, APPROVER)
_END = (EVIDENCE, JSON)
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

VERBS = (
    Command(
        name="deploy",
        summary="Bring a release into an environment, prove that it serves, or come back.",
        options=(*_PLACE, VERSION, IMAGE, ONLY, *_GATES, LOCK_WAIT, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions deploy --environment staging --version sha-1a2b3c4",
    ),
    Command(
        name="post-verify",
        summary="Run all checks on what serves, and record the verdict.",
        options=(*_PLACE, VERSION, ROLLBACK_ON_FAILURE, LOCK_WAIT, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions post-verify --environment staging --version sha-1a2b3c4",
    ),
    Command(
        name="promote",
        summary="Deploy what the required environment has verified, by digest.",
        options=(*_PLACE, VERSION, IMAGE, ONLY, *_GATES, LOCK_WAIT, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions promote --environment production --version sha-1a2b3c4",
    ),
    Command(
        name="rollback",
        summary="Go back to a release that served here before.",
        options=(*_PLACE, VERSION, LAST_GOOD, LIST, ONLY, REASON, SKIP_CHECKS, APPROVER, LOCK_WAIT, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions rollback --environment production --last-good",
    ),
    Command(
        name="preflight",
        summary="Run the checks before a deploy, and change nothing.",
        options=(*_PLACE, VERSION, IMAGE, ONLY, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions preflight --environment production --version sha-1a2b3c4",
    ),
    Command(
        name="backup",
        summary="Save files, settings and databases now.",
        options=(*_PLACE, LOCK_WAIT, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions backup --environment production",
    ),
    Command(
        name="finalize",
        summary="Clear up after a run that was cancelled or killed; safe at any time.",
        options=(*_PLACE, *_END),
        action=True,
        outputs=_OUTPUTS,
        example="deploy-actions finalize --environment production",
    ),
)

COMMANDS = (
    Command(
        name="plan",
        summary="Show what a deploy would do, and change nothing.",
        options=(*_PLACE, VERSION, IMAGE, ONLY, FORCE, REASON, JSON),
        example="deploy-actions plan --environment production --version sha-1a2b3c4",
    ),
    Command(
        name="history",
        summary="Show what was deployed, newest first.",
        options=(CONFIG, STACK, ONE_ENVIRONMENT, LIMIT, JSON),
        example="deploy-actions history --stack shop",
    ),
    Command(
        name="verified",
        summary="Show what was verified, newest first.",
        options=(CONFIG, STACK, ONE_ENVIRONMENT, LIMIT, JSON),
        example="deploy-actions verified --stack shop",
    ),
    Command(
        name="status",
        summary="Show what runs now, proved container by container.",
        options=(*_PLACE, JSON),
        example="deploy-actions status --environment production",
    ),
    Command(
        name="check-config",
        summary="Check deploy.yml, and print one stack and environment with everything filled in.",
        options=(CONFIG, STACK, ONE_ENVIRONMENT, JSON),
        example="deploy-actions check-config --environment production",
    ),
    Command(
        name="demo",
        summary="Play a whole release story on local processes in a temporary folder.",
        options=(KEEP,),
        example="deploy-actions demo",
    ),
)

TABLE = {command.name: command for command in (*VERBS, *COMMANDS)}
"""Every command by its name, in the order of the help page."""
