from ci_lib.report.rollback import RollbackRow, candidates, candidates_page

ROWS = [
    RollbackRow(version="sha-2", release_id="ab" * 32, served="2026-01-02T03:04:05Z", state="serves now"),
    RollbackRow(version="a|b", release_id="cd" * 32, served="2026-01-01T03:04:05Z", state="ready"),
]


def test_the_list_is_a_table_in_columns() -> None:
    assert candidates(ROWS) == (
        "VERSION  RELEASE       SERVED                STATE\n"
        "sha-2    abababababab  2026-01-02T03:04:05Z  serves now\n"
        "a|b      cdcdcdcdcdcd  2026-01-01T03:04:05Z  ready\n"
    )


def test_the_page_holds_the_same_rows_and_foreign_text_cannot_break_them() -> None:
    assert candidates_page("shop", "production", ROWS) == (
        "### What shop production can go back to\n\n"
        "| Version | Release | Served | State |\n"
        "| --- | --- | --- | --- |\n"
        "| `sha-2` | `abababababab` | 2026-01-02T03:04:05Z | serves now |\n"
        "| <code>a&#124;b</code> | `cdcdcdcdcdcd` | 2026-01-01T03:04:05Z | ready |\n"
    )


def test_an_empty_history_is_said_in_words() -> None:
    assert candidates_page("shop", "production", []).endswith("\n\nNothing was ever deployed here.")
