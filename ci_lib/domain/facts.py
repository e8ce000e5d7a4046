"""What the CI says about a run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CiFacts:
    """What the CI says about this run; everything in it may be hostile text.

    ``owner`` names the run for the lock: equal owners are consecutive steps of one job.
    """

    provider: str
    owner: str
    actor: str
    run_url: str = ""
    sha: str = ""
    ref: str = ""
    hosted: bool = False

    def as_json(self) -> dict[str, str]:
        """The form used in records."""
        return {"provider": self.provider, "run_url": self.run_url, "sha": self.sha, "ref": self.ref}
