"""The rules of `migration:`."""

from collections.abc import Callable

import pytest

Ask = Callable[[str], list[str]]

ALEMBIC = "\n    migration: {tool: alembic, service: backend, policy: forward-only}"
COMMAND = (
    "\n    migration: {tool: command, service: backend, policy: forward-only, status: [s], apply: [a]}"
)
SAVED = "\n    backup: {enabled: false}"


def test_each_tool_can_be_written_in_one_line(good: str, mistakes: Ask) -> None:
    for migration in (ALEMBIC, ALEMBIC.replace("alembic", "prisma"), COMMAND):
        assert mistakes(good + migration.removeprefix("\n") + SAVED) == []


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (
            "service: backend",
            "service: backen",
            ['14: stacks.shop.migration.service: no image has a service "backen", did you mean "backend"?'],
        ),
        (", policy: forward-only", "", ["14: stacks.shop.migration.policy: is missing"]),
        (
            "policy: forward-only",
            "policy: forward-only, apply: [x]",
            ['14: stacks.shop.migration.apply: belongs to "tool: command"'],
        ),
        (
            "alembic, service: backend, policy: forward-only",
            "prisma, service: backend, policy: reversible",
            [
                (
                    '14: stacks.shop.migration.policy: Prisma has no way back: write "forward-only", or '
                    '"tool: command" with a "down" of your own'
                )
            ],
        ),
        (
            "policy: forward-only",
            "policy: forward-only, folder: x",
            ['14: stacks.shop.migration.folder: belongs to "tool: prisma"'],
        ),
        (
            "alembic",
            "command",
            [
                '14: stacks.shop.migration: "tool: command" needs "apply", a program and its arguments',
                '14: stacks.shop.migration: "tool: command" needs "status", a program and its arguments',
            ],
        ),
        (
            "tool: alembic, service: backend, policy: forward-only",
            "tool: command, service: backend, policy: reversible, status: [s], apply: [a], program: [p]",
            [
                '14: stacks.shop.migration: "policy: reversible" needs "down", a program and its arguments',
                '14: stacks.shop.migration.program: has no effect: "status" and "apply" say what is called',
            ],
        ),
        (
            SAVED,
            "",
            [
                (
                    "14: stacks.shop.migration: a migration in production is preceded by a backup, and no "
                    'database is named here: name it under "backup", or say "enabled: false"'
                )
            ],
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_line(
    good: str, mistakes: Ask, old: str, new: str, messages: list[str]
) -> None:
    text = good + ALEMBIC.removeprefix("\n") + SAVED
    assert old in text
    assert mistakes(text.replace(old, new, 1)) == [f"deploy.yml:{message}" for message in messages]
