"""Small facts about an outcome that every rendering needs."""

from collections.abc import Sequence

from ci_lib.domain.outcome import CheckResult, Mark


def short(digest: str) -> str:
    """The twelve digits by which people tell digests apart."""
    return digest.removeprefix("sha256:")[:12]


def checks_passed(checks: Sequence[CheckResult]) -> str:
    """``3/4 passed, 1 skipped``; empty without checks. Warnings count as passed: they let the run go on."""
    if not checks:
        return ""
    passed = sum(check.mark in (Mark.PASSED, Mark.WARNED) for check in checks)
    others = [
        f"{count} {word}"
        for word, mark in (("warned", Mark.WARNED), ("skipped", Mark.SKIPPED))
        if (count := sum(check.mark is mark for check in checks))
    ]
    return ", ".join([f"{passed}/{len(checks)} passed", *others])
