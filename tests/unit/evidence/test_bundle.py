import hashlib
import json
import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.domain.outcome import Logs, Outcome, Packet
from ci_lib.domain.redact import Redactor
from ci_lib.evidence.bundle import FILE_LIMIT, LOG_LINES, Bundle, bundle, safe_name
from tests.golden.outcomes import DEPLOYED, ROLLED_BACK

LINE = '{"seq":1,"prev":"","id":"00","body":{"actor":"alice"}}'


def made(outcome: Outcome = ROLLED_BACK, *records: str) -> Bundle:
    redact = Redactor(["hunter2"])
    return bundle(outcome, records or (LINE,), redact, summary="### fine\n")


def with_logs(lines: str, service: str = "api") -> Outcome:
    return replace(ROLLED_BACK, packet=Packet(services=(Logs(service=service, lines=lines),)))


def test_a_bundle_holds_what_proves_the_outcome() -> None:
    files = made(replace(ROLLED_BACK, plan=({"kind": "switch"},))).files
    assert set(files) == {
        "result.json", "plan.json", "checks.json", "records.jsonl", "summary.md", "packet.json",
        "logs/backend.log", "manifest.json",
    }  # fmt: skip
    assert json.loads(files["result.json"])["reason_code"] == "rolled_back"
    assert json.loads(files["plan.json"]) == [{"kind": "switch"}]
    assert json.loads(files["checks.json"])[0]["value"] == "HTTP 500"
    assert files["records.jsonl"].decode() == LINE + "\n"
    assert json.loads(files["packet.json"])["services"][1] == {
        "service": "worker",
        "state": "exited 137",
        "health": "",
    }
    assert files["logs/backend.log"].decode() == "starting\nfatal: column `price` does not exist\n"


def test_the_manifest_names_every_other_file_with_size_and_hash() -> None:
    found = made()
    manifest = json.loads(found.files["manifest.json"])
    assert manifest["schema_version"] == 1
    assert {entry["path"] for entry in manifest["files"]} == set(found.files) - {"manifest.json"}
    for entry in manifest["files"]:
        data = found.files[entry["path"]]
        assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert found.manifest_hash == hashlib.sha256(found.files["manifest.json"]).hexdigest()


def test_the_same_outcome_gives_the_same_bytes() -> None:
    assert made() == made()


def test_no_file_holds_a_secret() -> None:
    outcome = replace(
        with_logs("token=abc\nhun\x1b[1mter2\n"), notes=("is hunter2",), plan=({"password": "x"},)
    )
    files = made(outcome, '{"body":{"note":"hunter2"}}', '{"torn: hunter2').files
    assert not any(b"hunter2" in data for data in files.values())
    assert files["logs/api.log"] == b"token=***\n***\n"
    assert json.loads(files["plan.json"]) == [{"password": "***"}]
    assert files["records.jsonl"] == b'{"body":{"note":"***"}}\n{"torn: ***\n'


def test_a_record_without_secrets_keeps_its_bytes() -> None:
    odd = '{ "seq": 1,  "note":"é" }'
    assert made(ROLLED_BACK, odd).files["records.jsonl"].decode() == odd + "\n"


def test_logs_are_left_out_when_asked() -> None:
    told = with_logs("private")
    assert told.packet is not None
    files = made(replace(told, packet=told.packet.without_logs())).files
    assert not any(b"private" in data for data in files.values())
    assert not any(path.startswith("logs/") for path in files)


def test_logs_are_bounded_in_lines_and_bytes_and_keep_their_end() -> None:
    many = made(with_logs("".join(f"line {n}\n" for n in range(9000)))).files["logs/api.log"].decode()
    assert many.startswith(f"({9000 - LOG_LINES} earlier lines left out)\n")
    assert many.endswith("line 8999\n")
    wide = made(with_logs("\n".join(["é" * 2000] * 1500))).files["logs/api.log"]
    assert len(wide) <= FILE_LIMIT


def test_every_file_is_bounded() -> None:
    huge = replace(DEPLOYED, notes=("x" * 1_200_000,), plan=({"kind": "y" * 60_000},) * 20)
    files = made(huge, *[LINE] * 21_000).files
    assert all(len(data) <= FILE_LIMIT for data in files.values())
    assert json.loads(files["result.json"])["status"] == "deployed"
    assert "left_out" in json.loads(files["plan.json"])


def test_escape_sequences_in_logs_are_shown_and_not_obeyed() -> None:
    assert made(with_logs("a\x1b]0;title\x07b\n")).files["logs/api.log"] == b"a\\x1b]0;title\\x07b\n"


@settings(deadline=None)
@given(st.text(), st.text())
def test_names_are_safe_in_paths_and_stay_different(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", safe_name(one))
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_hostile_service_names_stay_in_the_folder() -> None:
    paths = made(with_logs("x", service="../../etc/passwd")).files
    assert [path for path in paths if path.startswith("logs/")] == [
        f"logs/------etc-passwd-{hashlib.sha256(b'../../etc/passwd').hexdigest()[:8]}.log"
    ]
