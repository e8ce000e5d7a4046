import pytest

from ci_lib.ports.processes import Stat, parse_stat

REST = "1 4242 4242 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 987654 2650112 200 18446744073709551615"


@pytest.mark.parametrize("name", ["sleep", "two words", "a) R 1 2 (b", "line\nbreak"])
def test_the_fields_are_found_whatever_the_program_is_called(name: str) -> None:
    assert parse_stat(f"4242 ({name}) S {REST}") == Stat(state="S", group=4242, started="987654")


@pytest.mark.parametrize("state", ["R", "S", "D", "T", "Z", "X"])
def test_what_waits_for_its_parent_to_take_note_is_dead(state: str) -> None:
    assert parse_stat(f"1 (x) {state} {REST}").dead is (state in ("Z", "X"))
