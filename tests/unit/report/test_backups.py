import pytest

from ci_lib.report.backups import BackupRow, listed, listed_page, size

ROWS = [
    BackupRow(
        name="20260102T030405Z",
        version="sha-2",
        release_id="ab" * 32,
        databases=("db/shop", "mysql_backup"),
        size=1_300_000,
        age=7200.0,
    ),
    BackupRow(name="20260101T030405Z", version="", release_id="", databases=(), size=0, age=90_000.0),
]


def test_the_list_is_a_table_in_columns() -> None:
    assert listed(ROWS) == (
        "BACKUP            AGE  RELEASE  DATABASES              SIZE\n"
        "20260102T030405Z  2 h  sha-2    db/shop, mysql_backup  1.2 MiB\n"
        "20260101T030405Z  1 d  ?        none                   0 B\n"
    )


def test_the_page_holds_the_same_rows() -> None:
    assert listed_page("shop", "production", ROWS) == (
        "### Backups of shop production\n\n"
        "| Backup | Age | Release | Databases | Size |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `20260102T030405Z` | 2 h | `sha-2` | db/shop, mysql_backup | 1.2 MiB |\n"
        "| `20260101T030405Z` | 1 d | ? | none | 0 B |\n"
    )
    assert listed_page("shop", "production", []).endswith("\n\nThere is no backup here yet.")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
