r"""The patterns that text in deploy.yml must match, each with its kind and its rule in words.

Rust's regular expressions (pydantic) and those of JSON Schema must read them alike: no look-around, and
no ``\d`` or ``\w``, which mean more than ASCII to one and less to the other.
"""

from dataclasses import dataclass

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
PREFIX = r"^[a-z0-9][a-z0-9_-]{0,31}$"
SERVICE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
ENV = r"^[A-Za-z_][A-Za-z0-9_]*$"
CHECK = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$"
SSH = r"^([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9_\[][A-Za-z0-9._:\[\]-]*$"
SQL = r"^[A-Za-z_][A-Za-z0-9_-]*$"
URL = r"^https?://[^\s]+$"
URI = r"^[a-z][a-z0-9+.-]{0,20}:[!-~]{1,200}$"
BRANCH = r"^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_][A-Za-z0-9_-]*)*$"
REMOTE = (
    r"^(https?://[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*/[A-Za-z0-9_./~+%-]+"
    r"|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*/[A-Za-z0-9_./~+%-]+"
    r"|([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:/?[A-Za-z0-9_.~][A-Za-z0-9_./~+%-]*"
    r"|\.{0,2}/[^\x00-\x1f\x7f]*)$"
)
DURATION = r"^[0-9]{1,9}(\.[0-9]{1,3})?[smhd]$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PERCENT = r"^([0-9]{1,2}(\.[0-9]{1,3})?|100)%$"
BATCH = r"^([1-9][0-9]{0,3}|([1-9][0-9]?|100)%)$"
TAG = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"
PLATFORM = r"^[a-z0-9]{1,32}/[a-z0-9_]{1,32}(/[a-z0-9.]{1,32})?$"
MOUNTED = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """``word`` names such a text in the reference, ``rule`` says in an error what it must be like."""

    word: str
    rule: str


KINDS: dict[str, Kind] = {
    NAME: Kind(
        word="name",
        rule='use lower-case letters, digits, "-" and "_", 63 at most, and begin with a letter or digit',
    ),
    PREFIX: Kind(
        word="short name",
        rule='use lower-case letters, digits, "-" and "_", 32 at most, and begin with a letter or digit',
    ),
    SERVICE: Kind(
        word="service",
        rule='use letters, digits, ".", "-" and "_", 63 at most, and begin with a letter or digit',
    ),
    ENV: Kind(
        word="environment variable",
        rule='write the name of an environment variable: letters, digits and "_", no digit first',
    ),
    CHECK: Kind(
        word="title",
        rule='use letters, digits, spaces, ".", "-" and "_", 63 at most, and begin with a letter or digit',
    ),
    SSH: Kind(word="SSH address", rule="write user@host, user@host:port or a name from ssh_config"),
    SQL: Kind(
        word="database name",
        rule='use letters, digits, "-" and "_", and begin with a letter or "_"',
    ),
    URL: Kind(word="URL", rule="write a URL that begins with http:// or https:// and has no spaces"),
    URI: Kind(word="URI", rule="write a URI in ASCII without spaces, such as https://ci.example/acme/shop"),
    BRANCH: Kind(
        word="branch",
        rule='use letters, digits, "_" and "-", with single "." and "/" between them',
    ),
    REMOTE: Kind(
        word="git remote",
        rule="write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or a folder that begins with "
        "/, ./ or ../; no login stands in it",
    ),
    DURATION: Kind(
        word="duration", rule="write a number and s, m, h or d, such as 5s or 10m"
    ),
    DATE: Kind(word="date", rule="write a day as year, month and day, such as 2027-01-31"),
    TAG: Kind(
        word="tag",
        rule='use letters, digits, ".", "-" and "_", 128 at most, and do not begin with "." or "-"',
    ),
    PLATFORM: Kind(word="platform", rule="write OS/ARCHITECTURE, such as linux/amd64 or linux/arm/v7"),
    MOUNTED: Kind(
        word="secret id",
        rule='use letters, digits, ".", "-" and "_", 63 at most, and do not begin with "." or "-"',
    ),
    BATCH: Kind(
        word="number or share", rule="write a number of hosts such as 2, or a share of them such as 25%"
    ),
    PERCENT: Kind(word="percentage", rule="write a number from 0 to 100 and %, such as 20%"),
}
