import pytest

from ci_lib.domain.schema import Schema, Unreadable
from ci_lib.migrations.command import Command
from ci_lib.ports.protocols import Ran

TOOL = Command(status=("./schema", "status"), applying=("./schema", "up"), going_down=("./schema", "down"))


def test_the_status_is_one_json_object() -> None:
    read = TOOL.read((Ran(code=0, stdout='{"current": ["1"], "heads": ["3"], "pending": ["2", "3"]}\n'),))
    assert read == Schema(current=("1",), heads=("3",), pending=("2", "3"))
    assert TOOL.read((Ran(code=0, stdout='{"current": [], "heads": ["1"]}'),)).pending == ("1",)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "[]", "null", '{"current": "1", "heads": ["1"]}', '{"current": [1], "heads": []}'),
        *('{"heads": []}', '{"current": [""], "heads": []}', "[" * 100_000),
    ],
)
def test_anything_else_is_not_believed(text: str) -> None:
    with pytest.raises(Unreadable, match="printed no status"):
        TOOL.read((Ran(code=0, stdout=text),))


@pytest.mark.parametrize("dirty", ["true", "1", '"no"', "null"])
def test_a_dirty_schema_is_never_migrated_over(dirty: str) -> None:
    with pytest.raises(Unreadable, match="in part"):
        TOOL.read((Ran(code=0, stdout=f'{{"current": [], "heads": [], "dirty": {dirty}}}'),))


def test_a_status_that_fails_says_why() -> None:
    with pytest.raises(Unreadable, match="no database"):
        TOOL.read((Ran(code=1, stderr="error: no database\n"),))


def test_the_way_back_is_told_where_to_go() -> None:
    assert TOOL.down(("1", "7")) == (("./schema", "down"), {"DEPLOY_SCHEMA_TO": "1 7"})
