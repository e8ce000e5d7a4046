"""What a stack's `release:` may say, and the sentence for what it may not."""

from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from tests.unit.config.test_rules import PROCESS

Ask = Callable[[str], list[str]]
ENVIRONMENTS = ("staging", "production")
HERE = "deploy.yml:14: stacks.shop.release"


def stack(good: str, release: str) -> str:
    return f"{good}    release: {release}\n"


@pytest.mark.parametrize(
    ("release", "messages"),
    [
        ("{}", []),
        ("{draft: ops/release.md, questions: [Dual writes?], links: [tasks], sections: [Scope]}", []),
        ("{settings: [{name: KEY, expires: 2027-01-31}, {name: KEY, from: runner, expires_in: DAY}]}", []),
        ("{record: 'evidence/{environment}', template: ops/record.md}", []),
        ("{questions: [Dual?]}", [f'{HERE}.questions: needs "draft", the file in which it is looked for']),
        ("{links: [tasks]}", [f'{HERE}.links: needs "draft", the file in which it is looked for']),
        ("{template: a.md}", [f'{HERE}.template: needs "record", the folder to write to']),
        (
            "{draft: a.md, links: ['(']}",
            [
                (f'{HERE}.links[0]: "(" is not a regular expression: '
                "missing ), unterminated subpattern at position 0")
            ],
        ),
        (
            "{settings: [{name: KEY, pattern: '['}]}",
            [
                (f'{HERE}.settings[0].pattern: "[" is not a regular expression: '
                "unterminated character set at position 0")
            ],
        ),
        (
            "{settings: [{name: KEY}, {name: KEY}]}",
            [f"{HERE}.settings[1].name: KEY from host stands here twice"],
        ),
        (
            "{settings: [{name: KEY, expires: 2027-02-30}]}",
            [f'{HERE}.settings[0].expires: "2027-02-30" is not in the calendar'],
        ),
        (
            "{settings: [{name: KEY, expires: soon}]}",
            [
                (f'{HERE}.settings[0].expires: "soon" does not fit: '
                "write a day as year, month and day, such as 2027-01-31")
            ],
        ),
        (
            "{settings: [{name: KEY, expires: 2027-01-31, expires_in: DAY}]}",
            [f'{HERE}.settings[0]: has both "expires" and "expires_in": keep one'],
        ),
        (
            "{settings: [{name: KEY, warn_before: 3d}]}",
            [f'{HERE}.settings[0].warn_before: needs "expires" or "expires_in"'],
        ),
        (
            "{settings: [{name: KEY, forbidden: ['']}]}",
            [f"{HERE}.settings[0].forbidden: every value holds an empty text"],
        ),
        *(
            (
                f"{{record: evidence, {key}: {path}}}" if key != "record" else f"{{record: {path}}}",
                [f'{HERE}.{key}: "{path}" must be a path below deploy.yml\'s folder, without ".."'],
            )
            for key in ("draft", "template", "record")
            for path in ("/srv/x", "../x", "a/../../x", ".")
        ),
    ],
)
def test_a_rule_for_releases_is_told_with_its_line(
    good: str, mistakes: Ask, release: str, messages: list[str]
) -> None:
    assert mistakes(stack(good, release)) == messages


def test_a_rule_counts_for_what_comes_to_an_environment(good: str, mistakes: Ask) -> None:
    """The stack names the draft, and production alone asks its questions."""
    text = stack(good, "{draft: ops/release.md}")
    asks = "    environments: {production: {release: {questions: [Dual writes?]}}}\n"
    assert mistakes(text + asks) == []
    assert mistakes(good + asks) == [
        ("deploy.yml:14: stacks.shop.environments.production.release.questions: "
        'needs "draft", the file in which it is looked for')
    ]


def test_an_environment_may_do_without(good: str) -> None:
    text = stack(good, "{draft: ops/release.md, record: evidence}")
    text += "    environments: {staging: {release: {draft: '', record: ''}}}\n"
    loaded = load(text, name="deploy.yml")
    staging, production = (resolve(loaded, "shop", name, "/x").settings.release for name in ENVIRONMENTS)
    assert (staging.draft, production.draft) == ("", "ops/release.md")


def test_records_of_one_environment_do_not_become_files_of_another(good: str, mistakes: Ask) -> None:
    text = good + "    environments: {production: {release: {record: shop/evidence}}}\n"
    assert mistakes(text) == [
        ('deploy.yml:14: stacks.shop.environments.production.release.record: "shop/evidence" is inside '
        '"compose.source": write it with the stack, or other environments take the records for their files')
    ]
    assert mistakes(text.replace("shop/evidence", "shops/evidence")) == []
    assert mistakes(text.replace("{source: shop}", "{files: [a.yml]}")) != []


@pytest.mark.parametrize(
    ("release", "messages"),
    [
        ("{settings: [{name: PORT}]}", []),
        ("{settings: [{name: KEY, from: runner}]}", []),
        (
            "{settings: [{name: PORTS}]}",
            [
                ("deploy.yml:15: stacks.shop.release.settings[0].name: "
                'no process has "PORTS" in its env, and there is no .env, did you mean "PORT"?')
            ],
        ),
        (
            "{settings: [{name: PORT, expires_in: DAY}]}",
            [
                ("deploy.yml:15: stacks.shop.release.settings[0].expires_in: "
                'no process has "DAY" in its env, and there is no .env: write "from: runner"')
            ],
        ),
    ],
)
def test_a_process_has_no_settings_but_those_of_its_env(
    mistakes: Ask, release: str, messages: list[str]
) -> None:
    text = PROCESS.replace("{command: [serve]}", "{command: [serve], env: {PORT: '1'}}")
    assert mistakes(f"{text}    release: {release}\n") == messages
