"""Every option that a command may have, described once.

Standard library only: ``--help`` reads this and the table, and nothing else.
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

    EVERYWHERE: flag, environment variable, input of the action. SECRET: the same without the flag, which
    every process list shows. GATE: opens a gate, so it is never read from the environment; an action hands it
    on as a flag. TERMINAL: flag only.
    """

    EVERYWHERE = "everywhere"
    SECRET = "secret"  # noqa: S105 - a kind of option, no password
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
        given = self.where in (Where.EVERYWHERE, Where.SECRET)
        return PREFIX + self.name.upper().replace("-", "_") if given else ""


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
    help="One image as NAME=REPOSITORY:TAG or NAME=REPOSITORY@sha256:…; repeatable. "
    "The name may be left out when the stack has one image.",
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
APPROVER = Option(
    name="approver", metavar="NAME", where=Where.GATE, help="Who agreed to --skip-checks, or to --backup."
)
TAKEN = Option(
    name="version",
    metavar="TAG",
    required=True,
    help="The version that is to go; while another one serves nothing is touched.",
)
DOWN_APPROVER = Option(
    name="approver", metavar="NAME", where=Where.GATE, help="Who agreed; needed in production."
)
OWNER = Option(
    name="owner",
    metavar="OWNER",
    where=Where.GATE,
    help="The run whose lock is meant, just as `lock status` names it; needs --reason.",
)
UNLOCKER = Option(
    name="approver",
    metavar="NAME",
    where=Where.GATE,
    help="Who agreed; needed where it cannot be told whether that run is still at work.",
)
BACKUP = Option(
    name="backup",
    metavar="NAME",
    where=Where.GATE,
    help="Put the databases of this backup back; needs --reason and --approver.",
)
TRIED = Option(
    name="backup", metavar="NAME", where=Where.GATE, help="The backup to try; without it the newest one."
)
LIST_BACKUPS = Option(name="list", kind=Kind.FLAG, help="List the backups, and change nothing.")
GATE = Option(
    name="gate",
    metavar="NAME",
    where=Where.TERMINAL,
    required=True,
    help="What is agreed to: force, skip-checks, schema, backup, take-down or sign-off.",
)
APPROVED_BACKUP = Option(
    name="backup", metavar="NAME", where=Where.GATE, help="The backup that may be put back."
)
HOURS = Option(
    name="hours",
    metavar="N",
    kind=Kind.NUMBER,
    default="4",
    where=Where.TERMINAL,
    help="How long it is good for, 24 at most.",
)
APPROVER_KEY = Option(
    name="approver-key", where=Where.SECRET, help="The approver's private key, as `keys new` makes it."
)
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
FORGE_TOKEN = Option(
    name="forge-token",
    where=Where.SECRET,
    help="Token for the forge's API; the variable GITHUB_TOKEN or GITLAB_TOKEN otherwise.",
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
SCHEMA = Option(
    name="schema",
    metavar="keep|down",
    where=Where.GATE,
    help="Leave the database's schema, or take it back; the latter needs --reason and --approver.",
)
LIST = Option(name="list", kind=Kind.FLAG, help="List what can be rolled back to, and change nothing.")
LIMIT = Option(
    name="limit", metavar="N", kind=Kind.NUMBER, default="20", where=Where.TERMINAL, help="How many to show."
)
OUT = Option(
    name="out", metavar="FILE", where=Where.TERMINAL, help="New file for the private key."
)
VERIFIER = Option(
    name="verifier", metavar="URI", where=Where.TERMINAL, help="The environment's `signing.verifier`."
)
CI = Option(
    name="ci", metavar="github|gitlab", where=Where.TERMINAL, required=True, help="For which forge."
)
LIBRARY = Option(
    name="library",
    metavar="PATH[@REF]",
    where=Where.TERMINAL,
    required=True,
    help="Your copy of deploy-actions there, and its tag or commit: acme/deploy-actions@v1.",
)
KEEP = Option(
    name="keep", kind=Kind.FLAG, where=Where.TERMINAL, help="Keep the temporary folder to look around in it."
)

JOB = Option(name="job", metavar="NAME", kind=Kind.MANY, help="Run these jobs alone. Repeatable.")

BUILT_VERSION = Option(
    name="version", metavar="TAG", help="Tag of the images; sha- and the commit's 40 digits otherwise."
)
BUILT_ONLY = Option(name="only", metavar="NAME", kind=Kind.MANY, help="Build these images alone. Repeatable.")
REF = Option(
    name="ref", metavar="GITREF", help="Build this git tag or commit, in a folder of its own."
)
ALLOW_DIRTY = Option(
    name="allow-dirty",
    kind=Kind.FLAG,
    where=Where.GATE,
    help="Build files that are in no commit; the version says so.",
)
USERNAME = Option(name="username", metavar="NAME", help="Who pushes to the registry; needs a password.")
PASSWORD = Option(
    name="password", where=Where.SECRET, help="Password or token of that user; Docker's own logins otherwise."
)

PLAN_HASH = Option(
    name="plan-hash",
    metavar="HASH",
    help="Refuse unless the plan is still the one that `plan` printed this hash for.",
)

COMMENT = Option(
    name="comment",
    kind=Kind.FLAG,
    help="Show the plan below the run's pull or merge request too, in one comment that is written anew.",
)
ISSUE = Option(
    name="issue",
    kind=Kind.FLAG,
    help="Open an issue at the forge for a drift, write it anew while it lasts, and close it afterwards.",
)
PUBLISH = Option(
    name="publish",
    metavar="GITTAG",
    help="When it went well, publish the forge's release of this tag: the record as its notes, the evidence.",
)
BRANCH = Option(
    name="branch", metavar="NAME", help="The branch that releases come from; the default branch otherwise."
)
GATE_CHECK = Option(
    name="check",
    metavar="NAME",
    help="The gate, by the forge's name of its check; Gate, and on GitLab the pipeline, otherwise.",
)

PLACE = (CONFIG, STACK, ENVIRONMENT, FORGE_TOKEN)
"""Where a verb works, and who is asked about it."""
RELEASE = (VERSION, IMAGE, ONLY)
"""What it brings there."""
GATES = (FORCE, REASON, SKIP_CHECKS, APPROVER)
"""What lets it past a refusal."""
END = (EVIDENCE, JSON)
"""How it tells what it did."""
