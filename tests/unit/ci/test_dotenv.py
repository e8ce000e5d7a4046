import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.ci.dotenv import LIMIT, dotenv, variable


def parse(data: bytes) -> dict[str, str]:
    """The file as ``Ci::ParseDotenvArtifactService`` reads it; a line that it cannot read fails all of it."""
    assert len(data) < 5120
    found: dict[str, str] = {}
    for line in data.decode().splitlines(keepends=True):
        pairs = re.findall(r"(?m)^(.*?)=(.*)$", line)
        assert pairs, f"Invalid Format: {line!r}"
        name, value = (part.strip() for part in pairs[-1])
        assert re.fullmatch(r"\w+", name)
        found[name] = value
    return found


def test_outputs_become_variables() -> None:
    data, lost = dotenv({"status": "deployed", "version": "api:sha-1,web:sha-2", "reason-code": ""})
    assert data == b"DEPLOY_STATUS=deployed\nDEPLOY_VERSION=api:sha-1,web:sha-2\nDEPLOY_REASON_CODE=\n"
    assert lost == ()


@pytest.mark.parametrize(
    "value",
    [
        *("a b", "a\nDEPLOY_STATUS=deployed", "a\r", '"a"', "'a'", "é", "a\\n", "`x`"),
        *("$CI_JOB_TOKEN", "%CI_JOB_TOKEN%"),
    ],
)
def test_what_no_variable_can_carry_is_empty_and_named(value: str) -> None:
    data, lost = dotenv({"status": "failed", "version": value})
    assert parse(data) == {"DEPLOY_STATUS": "failed", "DEPLOY_VERSION": ""}
    assert lost == ("DEPLOY_VERSION",)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["status", "version", "a-b", "c"]), st.text(), min_size=1))
def test_no_value_can_forge_or_lose_another(values: dict[str, str]) -> None:
    data, lost = dotenv(values)
    found = parse(data)
    assert found.keys() == {variable(name) for name in values}
    for name, value in values.items():
        assert found[variable(name)] == ("" if variable(name) in lost else value)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6000), min_size=1, max_size=9))
def test_the_file_stays_below_the_limit_and_what_comes_first_is_kept_first(sizes: list[int]) -> None:
    values = {f"n{number}": "x" * size for number, size in enumerate(sizes)}
    data, lost = dotenv(values)
    assert len(data) < LIMIT
    assert ("DEPLOY_N0" in lost) == (sizes[0] > LIMIT - 1 - 11 * len(sizes))


@pytest.mark.parametrize("name", ["", "A", "a b", "a=b", "a\nb", "1a"])
def test_an_output_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="name of an output"):
        dotenv({name: "x"})
