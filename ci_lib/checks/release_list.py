"""The list that a release must have ready: its draft, what somebody answered for, and its settings.

Pure: files, variables and the time are handed in. Each row is a ``CheckResult`` that says, where it fails,
what to write and where. No value of a setting is ever in one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ci_lib.checks.draft import Draft
from ci_lib.checks.setting import judge
from ci_lib.config.release import ReleaseRules
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.text import one_line

_WIDTH: Final = 200
_WORSE: Final = (Mark.PASSED, Mark.SKIPPED, Mark.WARNED, Mark.FAILED)
_NOTHING: Final = "nothing"
"""What the first release replaces."""
_SHORTEST: Final = 11
"""Characters of a version that name it: ``sha-`` and seven digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the list is about: ``version`` is to serve, ``previous`` serves now (empty for nothing).

    ``draft`` is None when it cannot be had, and ``lacks`` says why. ``there`` says whether the checkout has
    what a path in the draft names. ``policy`` is what deploy.yml declares about the stack's migrations, None
    where it declares nothing. ``values`` are the variables of ``host`` and of ``runner``; processes have a
    set each.
    """

    version: str
    previous: str
    draft: Draft | None
    there: Callable[[str], bool]
    values: Mapping[str, Sequence[Mapping[str, str]]]
    now: datetime
    lacks: str = ""
    policy: str | None = None


def release_list(rules: ReleaseRules, asked: Asked) -> tuple[CheckResult, ...]:
    """Every row, in the order of the keys in deploy.yml."""
    return (*_draft(rules, asked), *_settings(rules, asked))


def migration(policy: str | None, draft: Draft, name: str) -> CheckResult:
    """What is declared about the schema: a policy in deploy.yml, else an answer in the draft called ``name``.

    "none" is an answer: what counts is that somebody gave it.
    """
    said = f"policy {policy}" if policy else draft.fields.get("migration", "")
    said = said or ("written" if draft.section("Migration") else "")
    bound = "the line `Migration: …`: none, or how it can be undone or what is done instead"
    return _row("migration", said, f"nothing in {name}", bound)


def _draft(rules: ReleaseRules, asked: Asked) -> Iterator[CheckResult]:
    name, draft = rules.draft, asked.draft
    if not name:
        return
    if draft is None:
        yield _row("draft", "", f"{name}: {asked.lacks}", "a file in the checkout")
        return
    yield _belongs(draft, asked, name)
    for title in rules.sections:
        said = "written" if draft.section(title) else ""
        yield _row(f"draft section {title}", said, f"empty in {name}", f"text below `# {title}`")
    for pattern in rules.links:
        yield _linked(draft, pattern, asked.there, name)
    for question in rules.questions:
        yield _answered(draft, question, name)
    yield migration(asked.policy, draft, name)


def _belongs(draft: Draft, asked: Asked, name: str) -> CheckResult:
    """Whether the draft is about this release.

    It names the version, or what it replaces: a draft that was left lying names what does not serve any more.
    """
    serves = asked.previous or _NOTHING
    version, replaces = draft.fields.get("version", ""), draft.fields.get("replaces", "")
    said = ""
    if _names(version, asked.version):
        said = f"for {asked.version}"
    elif not version and _names(replaces, serves):
        said = f"replaces {serves}"
    written = f"Version: {version}" if version else f"Replaces: {replaces}" if replaces else ""
    wrong = f"{name} says `{written}`" if written else f"{name} does not say for which release it is"
    return _row("draft", said, wrong, f"the line `Version: {asked.version}`, or `Replaces: {serves}`")


def _names(written: str, version: str) -> bool:
    if version.startswith("sha-") and len(written) >= _SHORTEST:
        return version.startswith(written)
    return bool(written) and written == version


def _linked(draft: Draft, pattern: str, there: Callable[[str], bool], name: str) -> CheckResult:
    expression = re.compile(pattern)
    found = [word for word in draft.words if expression.search(word)]
    good = next((word for word in found if "://" in word or there(word)), "")
    wrong = f"{found[0]} is not in the checkout" if found else f"none in {name}"
    return _row(f"draft link {pattern}", good, wrong, "a URL, or a file of the checkout")


def _answered(draft: Draft, question: str, name: str) -> CheckResult:
    items = draft.answered(question)
    open_ = [item.line for item in items if not item.ticked]
    wrong = f"not ticked in {name}, line {open_[0]}" if open_ else f"not in {name}"
    said = "ticked" if items and not open_ else ""
    return _row(f"question {question}", said, wrong, f"`- [x] {question}`")


def _settings(rules: ReleaseRules, asked: Asked) -> Iterator[CheckResult]:
    for setting in rules.settings:
        places = [values for values in asked.values.get(setting.from_, ()) if setting.name in values]
        found = [judge(setting, values, asked.now) for values in places or [{}]]
        yield max(found, key=lambda row: _WORSE.index(row.mark))


def _row(name: str, said: str, wrong: str, bound: str) -> CheckResult:
    """Passed with what was ``said``, or failed with what is ``wrong``."""
    return CheckResult(
        name=one_line(name, 100),
        mark=Mark.PASSED if said else Mark.FAILED,
        value=one_line(said or wrong, _WIDTH),
        bound=one_line(bound, _WIDTH),
    )
