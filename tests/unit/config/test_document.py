import pytest

from ci_lib.config.document import parse
from ci_lib.domain.errors import ConfigFault


def said(text: str) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        parse(text, name="deploy.yml")
    return caught.value.message.split("\n")


def test_yaml_12_keeps_yes_no_dates_and_leading_zeros_as_people_mean_them() -> None:
    text = "a: yes\nb: off\nc: 2024-01-01\nd: 010\ne: 0o10\nf: true\ng: ~\nh: 1.5\ni: 'x'\nj: 1:30\nk: ="
    assert parse(text, name="x").data == {
        "a": "yes",
        "b": "off",
        "c": "2024-01-01",
        "d": 10,
        "e": 8,
        "f": True,
        "g": None,
        "h": 1.5,
        "i": "x",
        "j": "1:30",
        "k": "=",
    }


def test_a_directive_for_yaml_11_does_not_bring_back_its_surprises() -> None:
    assert parse("%YAML 1.1\n---\na: yes\nb: 1:30\n", name="x").data == {"a": "yes", "b": "1:30"}


def test_every_key_and_entry_has_its_line() -> None:
    document = parse("a:\n  b:\n    - x\n    - y: 1\n", name="x")
    assert document.lines[("a", "b")] == 2
    assert document.lines[("a", "b", 1)] == 4
    assert document.lines[("a", "b", 1, "y")] == 4


def test_an_alias_stands_for_its_value() -> None:
    assert parse("a: &x {k: [1]}\nb: *x\n", name="x").data == {"a": {"k": [1]}, "b": {"k": [1]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "deploy.yml:1: the file is empty"),
        ("- a", "deploy.yml:1: the file must be a mapping with keys such as version, not a list"),
        ("x", 'deploy.yml:1: the file must be a mapping with keys such as version, not "x"'),
        (
            "a: 1\n---\nb: 2",
            ("deploy.yml:2: not YAML: expected a single document in the stream but found another document"),
        ),
        (
            "a: {b: x-{stack}}",
            (
                "deploy.yml:1: not YAML: while parsing a flow mapping expected ',' or '}', but got"
                " '{': within braces, text with {stack} or {environment} must be in quotes"
            ),
        ),
        (
            "a: 1\nb: {c: 1,\n  c: 2}",
            "deploy.yml:3: b.c: the key stands here again; the first one is on line 2",
        ),
        ("1: x", "deploy.yml:1: the key 1 must be text: put it in quotes"),
        ("a:\n  true: x", "deploy.yml:2: a: the key true must be text: put it in quotes"),
        ("? [a]\n: x", "deploy.yml:1: a key must be text, not a list or a mapping"),
        (
            "a: &x {b: 1}\nc:\n  <<: *x",
            ('deploy.yml:3: c: merging with "<<" is not part of YAML 1.2: write the keys out'),
        ),
        ("a: !!set {b}", 'deploy.yml:1: a: tags such as "tag:yaml.org,2002:set" are not understood here'),
        ("a: !env HOME", 'deploy.yml:1: a: tags such as "!env" are not understood here'),
        ('a: "x\\0y"', 'deploy.yml:1: a: "x\\x00y" holds a control character'),
        ('a: "\\ud800"', 'deploy.yml:1: a: "\\ud800" holds a control character'),
        ('a: "\\UFFFFFFFF"', "deploy.yml:1: not YAML: Python int too large to convert to C int"),
        (
            "a: \x00",
            "deploy.yml:1: not YAML: unacceptable character #x0000: special characters are not allowed",
        ),
        ("a: &x [*x]", "deploy.yml:1: nested more than 40 levels deep, or an alias that holds itself"),
        ("[" * 1500, "deploy.yml:1: nested more than 40 levels deep, or an alias that holds itself"),
        (
            "a: " + "[" * 41 + "]" * 41,
            "deploy.yml:1: nested more than 40 levels deep, or an alias that holds itself",
        ),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    assert said(text) == [message]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    assert said("a: 1\na: 2\n2: x\nb: !x y") == [
        "deploy.yml:2: a: the key stands here again; the first one is on line 1",
        "deploy.yml:3: the key 2 must be text: put it in quotes",
        'deploy.yml:4: b: tags such as "!x" are not understood here',
    ]


def test_an_alias_bomb_is_stopped() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert said("\n".join(rows)) == ["deploy.yml:1: more than 50000 values, counting each use of an alias"]


def test_a_file_larger_than_1_mib_is_not_read() -> None:
    assert said("# " + "x" * 1_048_576) == ["deploy.yml:1: the file is larger than 1 MiB"]


def test_the_name_of_the_file_cannot_forge_a_line() -> None:
    with pytest.raises(ConfigFault) as caught:
        parse("", name="a\n::error::x")
    assert caught.value.message == "a\\n::error::x:1: the file is empty"


def test_thousands_of_digits_stay_text() -> None:
    assert parse("a: " + "1" * 5000, name="x").data == {"a": "1" * 5000}


def test_at_most_fifty_mistakes_are_listed() -> None:
    lines = said("\n".join(f"{n}: x" for n in range(80)))
    assert len(lines) == 51
    assert lines[-1] == "… and 30 more"
