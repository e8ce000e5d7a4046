"""No forge: nothing is known of any run."""

from ci_lib.domain.forge import ForgeFault, Review, RunState


class NoForge:
    """``Forge`` where none can be asked."""

    def run_state(self, owner: str) -> RunState:
        """Unknown, whatever the owner."""
        del owner
        return RunState.UNKNOWN

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """Raises ``ForgeFault``: a run that belongs to no forge is reviewed by nobody."""
        del environment
        raise ForgeFault("this run belongs to no forge that could be asked")
