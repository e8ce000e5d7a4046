"""``deploy-actions preflight``."""

from ci_lib.cli.console import Values
from ci_lib.cli.verb import run_verb
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine import looking


def run(values: Values) -> Exit:
    """Run the verb with the options of the command line."""
    return run_verb(Verb.PREFLIGHT, values, looking.preflight)
