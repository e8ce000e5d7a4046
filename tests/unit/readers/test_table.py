"""What holds for every reader: it reads, or says ``Unreadable`` in a sentence that can be shown."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_lib.domain.gate import Reading, Unreadable
from ci_lib.readers.table import READERS
from ci_lib.readers.trufflehog import read as read_trufflehog

Recorded = Callable[[str], bytes]

SAMPLES = {
    "junit": ("pytest.xml", "vitest.xml", "jest-junit.xml", "mocha-junit.xml", "surefire.xml"),
    "coverage": ("coverage.xml", "coverage.json", "vitest-cobertura.xml"),
    "sarif": ("ruff.sarif", "eslint.sarif", "bandit.sarif", "grype.sarif"),
    "trufflehog": ("trufflehog-git.jsonl", "trufflehog-filesystem.jsonl"),
    "trivy": ("trivy-pip.json", "trivy-dockerfile.json", "trivy-secrets.json", "trivy-licenses.json"),
    "detect_secrets": ("detect-secrets.json", "detect-secrets-audited.json"),
}
FILES = [(kind, name) for kind, names in SAMPLES.items() for name in names]
JSON_FILES = [(kind, name) for kind, name in FILES if not name.endswith(".xml")]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

pytestmark = pytest.mark.filterwarnings("error")


def harmless(text: str) -> bool:
    return all(unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} for one in text)


def reads_or_says_why(kind: str, data: bytes) -> None:
    reading, said = None, "."
    try:
        reading = READERS[kind](data)
    except Unreadable as error:
        said = str(error)
    assert said
    assert harmless(said)
    assert len(said) < 1000
    if reading is None:
        return
    json.dumps([finding.as_json() for finding in reading.findings], allow_nan=False)
    for text in (*(case.message for case in reading.cases), *(found.message for found in reading.findings)):
        assert len(text) <= 2000
        assert harmless(text.replace("\n", "").replace("\t", ""))


def test_every_kind_has_recordings() -> None:
    assert READERS.keys() == SAMPLES.keys()


@pytest.mark.parametrize("kind", READERS)
@given(data=st.binary(max_size=200) | st.text(alphabet='<>[]{}"/:,!?=x0 \n', max_size=60).map(str.encode))
def test_arbitrary_bytes(kind: str, data: bytes) -> None:
    reads_or_says_why(kind, data)


@pytest.mark.parametrize(("kind", "name"), FILES)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_damaged_recording(recorded: Recorded, kind: str, name: str, data: st.DataObject) -> None:
    whole = recorded(name)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 50)))
    reads_or_says_why(kind, whole[:start] + data.draw(st.binary(max_size=10)) + whole[end:])


@pytest.mark.parametrize(("kind", "name"), JSON_FILES)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_json_with_a_value_that_does_not_belong_there(
    recorded: Recorded, kind: str, name: str, data: st.DataObject
) -> None:
    documents = [json.loads(line) for line in recorded(name).splitlines()] if kind == "trufflehog" else None
    document: Any = documents or json.loads(recorded(name))
    place = document
    while True:
        key = data.draw(st.sampled_from(range(len(place)) if isinstance(place, list) else sorted(place)))
        if not place[key] or not isinstance(place[key], list | dict) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    lines = document if kind == "trufflehog" else [document]
    reads_or_says_why(kind, "\n".join(json.dumps(line) for line in lines).encode())


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_recording_that_was_cut_off_is_not_taken_for_a_good_one(
    recorded: Recorded, kind: str, name: str
) -> None:
    whole = recorded(name).rstrip()
    for end in range(1, len(whole) - 1, max(1, len(whole) // 50)):
        if kind == "trufflehog" and whole[:end].rstrip().endswith(b"}\n"):
            continue  # a whole line: only the exit code tells that more should follow
        with pytest.raises(Unreadable):
            READERS[kind](whole[:end])


@pytest.mark.parametrize("kind", sorted(READERS.keys() - {"trufflehog"}))
@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_report_is_not_taken_for_a_good_one(kind: str, data: bytes) -> None:
    with pytest.raises(Unreadable, match="is empty"):
        READERS[kind](data)
    assert read_trufflehog(data) == Reading()


@pytest.mark.parametrize("kind", READERS)
def test_a_report_of_another_kind_is_not_taken_for_a_good_one(recorded: Recorded, kind: str) -> None:
    for other, names in SAMPLES.items():
        for name in names if other != kind else ():
            with pytest.raises(Unreadable):
                READERS[kind](recorded(name))
