from ci_lib.report.history import HistoryRow, VerifiedRow, history, verified
from tests.golden.outcomes import HOSTILE


def test_the_history_is_aligned() -> None:
    rows = [
        HistoryRow(
            time="2026-03-01 12:00", environment="staging", verb="deploy", version="sha-2", status="deployed"
        ),
        HistoryRow(
            time="2026-03-01 13:00",
            environment="production",
            verb="promote",
            version="sha-2",
            status="rolled_back",
            actor="alice",
            note="failed its checks",
        ),
    ]
    assert history(rows) == (
        "TIME              ENVIRONMENT  VERB     VERSION  STATUS       ACTOR  NOTE\n"
        "2026-03-01 12:00  staging      deploy   sha-2    deployed     -      -\n"
        "2026-03-01 13:00  production   promote  sha-2    rolled_back  alice  failed its checks\n"
    )


def test_verified_images_are_aligned() -> None:
    row = VerifiedRow(
        time="2026-03-01 12:00", environment="staging", image="api", version="sha-2", digest="abababababab"
    )
    assert verified([row]) == (
        "TIME              ENVIRONMENT  IMAGE  VERSION  DIGEST        ACTOR  SIGNED BY\n"
        "2026-03-01 12:00  staging      api    sha-2    abababababab  -      -\n"
    )


def test_hostile_cells_stay_in_their_row_and_are_cut() -> None:
    row = HistoryRow(time="t", environment="e", verb="v", version="x", status="s", actor="a", note=HOSTILE)
    lines = history([row]).splitlines()
    assert len(lines) == 2
    assert len(lines[1]) < 120


def test_nothing_recorded_is_said() -> None:
    assert history([]) == "Nothing has been recorded yet.\n"
    assert verified([]) == "Nothing is verified yet.\n"
