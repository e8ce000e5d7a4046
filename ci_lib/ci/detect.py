"""Which CI this is."""

from collections.abc import Mapping

from ci_lib.ci import github, gitlab_facts, local
from ci_lib.domain.facts import CiFacts


def detect(env: Mapping[str, str], *, local_owner: str) -> CiFacts:
    """The facts of the first CI that recognises itself in ``env``; a terminal otherwise.

    ``local_owner`` names this process for the lock where no CI has a name for the run.
    """
    found = github.facts(env) or gitlab_facts.facts(env, local_owner=local_owner)
    return found or local.facts(env, owner=local_owner)
