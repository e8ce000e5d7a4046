import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.ci.commands import command, harmless, output

HOSTILE = st.text(max_size=40) | st.text(alphabet=":#[] \n\t\u00ad\u034f\ufe0f\u200b\u3000é]error")


def is_command(line: str) -> bool:
    """The runner's rule, with every character outside ASCII taken as one that its comparison may ignore."""
    seen = re.sub(r"[^\x00-\x7f]", "", line)
    return seen.strip().startswith("::") or line.strip().startswith("::") or "##[" in seen


@settings(deadline=None, max_examples=500)
@given(HOSTILE)
def test_no_text_can_forge_a_workflow_command(text: str) -> None:
    assert not any(is_command(line) for line in harmless(text).split("\n"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error::x", "| ::error::x"),
        ("  \u3000::error::x", "|   \u3000::error::x"),
        ("\u00ad:\u00ad:error::x", "| \u00ad:\u00ad:error::x"),
        ("x ##[add-mask]a", "x # #[add-mask]a"),
        ("#\ufe0f#[error]", "# \ufe0f#[error]"),
        ("std::vector a::b", "std::vector a::b"),
        ("## [link]", "## [link]"),
    ],
)
def test_only_what_could_be_a_command_is_changed(line: str, shown: str) -> None:
    assert harmless(line) == shown


def test_data_and_properties_are_escaped_as_the_runner_unescapes_them() -> None:
    assert command("error", "50%\r\na:b,c", {"title": "x:y,z%\n", "file": ""}) == (
        "::error title=x%3Ay%2Cz%25%0A::50%25%0D%0Aa:b,c"
    )
    assert command("endgroup") == "::endgroup::"


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_command_is_one_line_whatever_it_holds(data: str, value: str) -> None:
    assert not set(command("error", data, {"title": value})) & {"\r", "\n"}


def parse(text: str) -> dict[str, str]:
    """``GITHUB_OUTPUT`` as the runner reads it."""
    lines, values = text.split("\n"), {}
    while lines and lines != [""]:
        name, _, delimiter = lines.pop(0).partition("<<")
        end = lines.index(delimiter)
        values[name] = "\n".join(lines[:end])
        lines = lines[end + 1 :]
    return values


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_no_value_can_forge_an_output(value: str) -> None:
    tokens = iter(["T0", "T1", "T2", *(f"delimiter-{n}" for n in range(99))])
    written = output("status", value, lambda: next(tokens)) + output("next", "x", lambda: "END-END")
    assert parse(written.decode()) == {"status": value, "next": "x"}


def test_a_delimiter_that_occurs_in_the_value_is_not_used() -> None:
    tokens = iter(["AA", "BB"])
    assert output("v", "x\nAA\nstatus=deployed", lambda: next(tokens)).startswith(b"v<<BB\n")


@pytest.mark.parametrize("name", ["", "a b", "a<<b", "a\nb", "1a", "a=b"])
def test_an_output_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="name of an output"):
        output(name, "x", lambda: "T")
