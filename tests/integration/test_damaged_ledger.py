"""Somebody edits, deletes, doubles or cuts off lines of the ledger's file: by the real command line.

Every other edit is in `tests/unit/records/test_chain.py`.
"""

import json
from collections.abc import Callable

from tests.integration.test_process import Project, project

__all__ = ["project"]

Lines = list[str]

DAMAGE: dict[str, Callable[[Lines], Lines]] = {
    "a failure becomes a pass": lambda lines: [line.replace('"FAILED"', '"PASSED"') for line in lines],
    "a line in the middle is deleted": lambda lines: [*lines[:2], *lines[3:]],
    "a line is there twice": lambda lines: [*lines[:3], *lines[2:]],
    "a line is cut off in the middle": lambda lines: [lines[0][:40], *lines[1:]],
}


def test_a_damaged_ledger_decides_nothing_and_one_that_is_cut_off_has_another_head(project: Project) -> None:
    project.deploy("v1")
    project.deploy("v2", ends=20)
    path = project.folder / "records" / "stacks" / "hello" / "ledger.jsonl"
    whole = path.read_text().splitlines(keepends=True)
    assert any('"FAILED"' in line for line in whole)
    promote = ("promote", "--environment", "production", "--version", "v1", "--json")
    for name, damage in DAMAGE.items():
        path.write_text("".join(damage(list(whole))))
        said = json.loads(project.run(*promote, ends=11))
        assert (said["reason_code"], said["status"]) == ("cannot_decide", "refused"), name
        assert not (project.state.parent / "hello-production").joinpath("releases").exists(), name
    project.run("records", "verify", ends=11)

    path.write_text("".join(whole))
    head = json.loads(project.run("records", "verify", "--json"))["head"]
    first = next(number for number, line in enumerate(whole) if '"type":"verified"' in line)
    path.write_text("".join(whole[:first]))
    # The chain of what is left holds: its head tells, and the log has lines that no record has.
    cut = json.loads(project.run("records", "verify", "--json", ends=4))
    assert cut["head"] != head
    said = json.loads(project.run(*promote, ends=10))
    assert said["reason_code"] == "not_verified"
    assert not (project.state.parent / "hello-production").joinpath("releases").exists()
