"""The generated pages of `docs/reference/`, but for those about deploy.yml."""

from ci_lib.cli.options import Kind, Option, Where
from ci_lib.cli.table import COMMANDS, VERBS, Command
from ci_lib.domain.reasons import GREEN, REASONS, Exit, Status
from ci_lib.report.release_facts import PLACEHOLDERS
from ci_lib.report.release_record import BUILT_IN
from tests.contract.markdown import cell, default_of, table

_COMMANDS = """\
# Commands

<!-- Written by `make docs` from ci_lib/cli/table.py; a contract test holds the two equal. -->

Each verb, and `plan`, has an action of the same name: `uses: org/deploy-actions/VERB@v1`. An option is,
under its name, also the input of the action. A flag beats the environment variable, which beats the
default; an empty variable counts as none. Options without a variable come from the flag alone: those that
open a gate (an action hands its input on as the flag), and those that make sense on a terminal only, which
are no inputs. Options that may be repeated take several values from their variable or input, separated by
white space. A secret is never a flag, since every process list shows those.
"""

_SAME = "Every verb has the same ones. `plan`, which has an action too, has `plan-hash` alone.\n"

_EXIT_CODES = """\
# Exit codes, reason codes, statuses

<!-- Written by `make docs` from ci_lib/domain/reasons.py; a contract test holds the two equal. -->

Both lists are closed. 1 is never used: it is what a crashing interpreter returns. A command that only looks
ends with 141 when its reader leaves early, as in `history | head -1`; a verb goes on, and ends as it would
have.
"""

_RELEASE_RECORD = """\
# Placeholders of the release record

<!-- Written by `make docs` from ci_lib/report/release_record.py; a contract test holds the two equal. -->

What `release.template` may hold, and what it becomes: Markdown, masked and escaped, `none` where there is
nothing to say. `${name}` is a placeholder, `$$` a dollar sign; anything else with a `$` is a mistake that
`check-config` and preflight tell with its line. How records come about:
[release list and record](../how-to/release-record.md).
"""


def commands() -> str:
    """`docs/reference/commands.md`."""
    outputs = [(f"`{output.name}`", cell(output.help)) for output in VERBS[0].outputs]
    assert all(verb.outputs == VERBS[0].outputs for verb in VERBS), "verbs differ: a table each is needed"
    parts = [
        _COMMANDS,
        *(_command(command) for command in (*VERBS, *COMMANDS)),
        f"## Outputs\n\n{_SAME}\n" + table(("output", "meaning"), outputs),
    ]
    return "\n".join(parts)


def release_record() -> str:
    """`docs/reference/release-record.md`."""
    rows = [(f"`${{{name}}}`", one.meaning) for name, one in PLACEHOLDERS.items()]
    built_in = f"## The built-in template\n\n```text\n{BUILT_IN}```\n"
    return f"{_RELEASE_RECORD}\n{table(('placeholder', 'what it becomes'), rows)}\n{built_in}"


def exit_codes() -> str:
    """`docs/reference/exit-codes.md`."""
    rows = [
        (str(int(exit_)), f"`{reason}`", cell(sentence))
        for number in Exit
        for reason, (exit_, sentence) in REASONS.items()
        if exit_ is number
    ]
    green = ", ".join(f"`{status}`" for status in Status if status in GREEN)
    red = ", ".join(f"`{status}`" for status in Status if status not in GREEN)
    statuses = f"Green: {green}.\nRed: {red}.\n"
    reasons = table(("exit", "reason code", "meaning"), rows)
    return f"{_EXIT_CODES}\n{reasons}\n## Statuses\n\n{statuses}"


def _command(command: Command) -> str:
    rows = [
        (_flag(option), _variable(option), default_of(option, option.default), cell(option.help))
        for option in command.options
    ]
    options = table(("option", "variable", "default", "meaning"), rows)
    return f"## {command.name}\n\n{command.summary}\n\n```sh\n{command.example}\n```\n\n{options}"


def _flag(option: Option) -> str:
    if option.where is Where.SECRET:
        return f"`{option.name}`, as an input only"
    return f"`--{option.name}`" if option.kind is Kind.FLAG else f"`--{option.name} {option.metavar}`"


def _variable(option: Option) -> str:
    if option.variable:
        return f"`{option.variable}`"
    return "none: opens a gate" if option.where is Where.GATE else "none: terminal only"

