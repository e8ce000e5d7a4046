"""One setting of a release: is it there, does it fit, is it still good? Its value goes nowhere."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from ci_lib.config.release import Setting
from ci_lib.config.units import duration_text
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.text import ago

LONGEST: Final = 4096
"""Characters of a value that a regular expression is tried on: it may need the square of their number."""


def judge(setting: Setting, values: Mapping[str, str], now: datetime) -> CheckResult:
    """The row of a setting; ``values`` are the variables of its place, ``now`` is in UTC."""
    mark, seen = Mark.FAILED, _wrong(setting, values.get(setting.name, ""))
    if not seen:
        mark, seen = _age(setting, values, now)
    return CheckResult(name=f"setting {setting.name}", mark=mark, value=seen, bound=_bound(setting))


def _wrong(setting: Setting, value: str) -> str:
    """What is wrong with the value itself, without a word of it."""
    if not value.strip():
        where = "on the host" if setting.from_ == "host" else "in the job's environment"
        return f"not set {where}"
    if len(value) > LONGEST:
        return f"longer than {LONGEST} characters"
    if any(text.casefold() in value.casefold() for text in setting.forbidden):
        return "holds a forbidden text"
    if setting.pattern and re.search(setting.pattern, value) is None:
        return "does not fit its pattern"
    return ""


def _age(setting: Setting, values: Mapping[str, str], now: datetime) -> tuple[Mark, str]:
    """Whether the last day of the value is over, or near."""
    if not setting.expires and not setting.expires_in:
        return Mark.PASSED, "set"
    last = _day(setting.expires or values.get(setting.expires_in or "", ""))
    if last is None:
        return Mark.FAILED, f"{setting.expires_in} holds no date such as 2027-01-31"
    end = datetime.combine(last, time(), UTC) + timedelta(days=1)
    left = (end - now).total_seconds()
    # The day itself may stand in `.env`, and would be masked like everything there.
    if left <= 0:
        return Mark.FAILED, f"expired {ago(-left)} ago"
    return Mark.WARNED if left <= setting.warn_before else Mark.PASSED, f"set, good for {ago(left)} more"


def _day(text: str) -> date | None:
    """A date, or the date of a time, as ISO 8601 has it."""
    try:
        day = datetime.fromisoformat(text.strip()[:40]).date()
    except ValueError:
        return None
    return day if day < date.max else None


def _bound(setting: Setting) -> str:
    parts = ["set"]
    if setting.pattern:
        parts.append("fitting its pattern")
    if setting.forbidden:
        parts.append("without what is forbidden")
    if setting.expires or setting.expires_in:
        parts.append(f"good for more than {duration_text(setting.warn_before)}")
    return ", ".join(parts)
