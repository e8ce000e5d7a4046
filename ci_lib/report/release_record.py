"""The dated record of a release: an outcome as a section of Markdown, from a template.

The language of templates is that of ``string.Template``: ``${name}``, and ``$$`` for a dollar sign.
"""

from string import Template
from typing import Final

from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.text import head
from ci_lib.report.release_facts import PLACEHOLDERS, Facts

SIZE_LIMIT: Final = 256 * 1024
"""Bytes of one section."""

BUILT_IN: Final = """\
## ${time} ${verb} ${stack} in ${environment}: ${status}

${verdict}

| What | Value |
| --- | --- |
| From → to | ${way} |
| Took | ${duration} |
| By | ${actor} |
| Run | ${run} |
| Owner | ${owner} |
| Schema | ${schema} |
| Backup | ${backup} |
| Reason code | ${reason} |
| Release id | ${release_id} |
| Ledger head | ${ledger_head} |
| Evidence | ${evidence} |

### What was announced

${draft}

### Images

${images}

### Smoke checklist

${checks}

### Before the switch

${preflight}

### Steps

${steps}

### Gates that a person opened

${overrides}

### What failed

${failure}

### What came back

${back}

### Notes

${notes}
"""

_NONE: Final = "none"
_CUT: Final = "**Cut here: the evidence holds the rest.**"
_RECORDED: Final = frozenset(
    {
        Verb.DEPLOY,
        Verb.PROMOTE,
        Verb.ROLLBACK,
        Verb.TAKE_DOWN,
        Verb.POST_VERIFY,
        Verb.MIGRATE,
        Verb.RESTORE,
        Verb.RESTORE_TEST,
        Verb.FINALIZE,
    }
)


def leaves_record(outcome: Outcome) -> bool:
    """Whether a run belongs into the record: it changed something, gave a verdict, or failed."""
    if outcome.verb is Verb.FINALIZE and outcome.reason is Reason.PASSED:
        return False  # it had nothing to do
    return outcome.verb in _RECORDED and outcome.status is not Status.UNCHANGED


def faults_of(template: str) -> tuple[tuple[int, str], ...]:
    """Every mistake in a template, with its line."""
    faults: list[tuple[int, str]] = []
    for found in Template.pattern.finditer(template):
        line = template.count("\n", 0, found.start()) + 1
        name = found["named"] or found["braced"]
        if found["invalid"] is not None:
            faults.append((line, "a lone `$`: write `$$` for a dollar sign, `${name}` for a placeholder"))
        elif name and name not in PLACEHOLDERS:
            faults.append((line, f"there is no placeholder ${{{name}}}"))
    return tuple(faults)


def render(template: str, facts: Facts) -> str:
    """One section, ending in a line's end; ``template`` has no faults."""
    values = {name: one.make(facts).strip("\n") or _NONE for name, one in PLACEHOLDERS.items()}
    text = Template(template).substitute(values)
    return head(text.strip("\n") + "\n", size=SIZE_LIMIT, notice=_CUT)
