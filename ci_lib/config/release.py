"""The shape of a stack's ``release:``: what must stand before a release, and the record that it leaves."""

from typing import Literal

from pydantic import Field

from ci_lib.config.base import EnvName, Model, Words
from ci_lib.config.patterns import DATE
from ci_lib.config.units import Duration


class Setting(Model):
    """A setting that the release needs; its value is judged, and never shown."""

    name: EnvName
    """The variable."""
    from_: Literal["host", "runner"] = Field(default="host", alias="from")
    """`host`: the run directory's `.env`, or a process's `env`; `runner`: the job's environment."""
    pattern: str = ""
    """Python regular expression that must be found in the value."""
    forbidden: tuple[str, ...] = ()
    """Texts that the value must not hold, such as `changeme`; capitals count as small letters."""
    expires: str | None = Field(default=None, pattern=DATE)
    """The last day (UTC) on which the value is good."""
    expires_in: EnvName | None = None
    """Variable in the same place that holds that day, as 2027-01-31."""
    warn_before: Duration = 14 * 86400.0
    """How long before that day it is a warning."""


class ReleaseRules(Model):
    """What preflight, deploy and promote demand beside the target's own checks, and what is written down."""

    draft: str = ""
    """Markdown file in the checkout, relative to deploy.yml: the draft announcement of this release."""
    sections: tuple[str, ...] = ("Scope", "Risk", "Contacts")
    """Headings that the draft must have, with text below them."""
    links: tuple[str, ...] = ()
    """Regular expressions; for each the draft must hold a URL, or the path of a file of the checkout."""
    questions: tuple[str, ...] = ()
    """What must stand in the draft as a ticked item, `- [x] question`."""
    commit_checks: tuple[Words, ...] = ()
    """Checks of the release's commit (jobs, commit statuses) that have passed, by what the forge says."""
    settings: tuple[Setting, ...] = ()
    """Settings that must be there."""
    record: str = ""
    """Folder, relative to deploy.yml, for the dated record YYYY-MM-DD.md; without it none is written."""
    template: str = ""
    """The team's own template of the record, relative to deploy.yml; the built-in one otherwise."""
