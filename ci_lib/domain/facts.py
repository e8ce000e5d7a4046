"""What the CI says about a run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CiFacts:
    """What the CI says about this run; everything in it may be hostile text.

    ``owner`` names the run for the lock: equal owners are consecutive steps of one job. ``actor`` is who runs
    it now, ``author`` who started it first, if that was somebody else.
    """

    provider: str
    owner: str
    actor: str
    run_url: str = ""
    sha: str = ""
    ref: str = ""
    hosted: bool = False
    author: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who has a part in starting this run, and so cannot approve of it."""
        return tuple(person for person in (self.actor, self.author) if person)

    def as_json(self) -> dict[str, str]:
        """The form used in records."""
        found = {"provider": self.provider, "run_url": self.run_url, "sha": self.sha, "ref": self.ref}
        return found | ({"author": self.author} if self.author else {})
