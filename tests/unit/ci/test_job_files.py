import json

import pytest

from ci_lib.ci.job_files import LINK_LIMIT, SUMMARY_LIMIT, JobFiles
from ci_lib.ports.protocols import PortFault
from tests.fakes import FakeHost
from tests.unit.ci.test_dotenv import parse

LINKS = "/p/deploy-actions/annotations.json"
JOB = "https://gitlab.example/acme/shop/-/jobs/"


def job(number: str, host: FakeHost) -> JobFiles:
    return JobFiles(folder="/p/deploy-actions", job=number, url=JOB + number, files=host)


def text(host: FakeHost, name: str) -> str:
    return host.files[f"/p/deploy-actions/{name}"].decode()


def links(host: FakeHost) -> dict[str, str]:
    rows = [row["external_link"] for row in json.loads(host.files[LINKS])["deploy-actions"]]
    return {row["url"]: row["label"] for row in rows}


def test_outputs_say_of_which_job_they_are() -> None:
    host = FakeHost()
    assert not job("1", host).outputs_exist()
    assert job("1", host).put_outputs({"status": "deployed", "version": "a b"}) == ("DEPLOY_VERSION",)
    assert parse(host.files["/p/deploy-actions/outputs.env"]) == {
        "DEPLOY_STATUS": "deployed",
        "DEPLOY_VERSION": "",
        "DEPLOY_JOB_ID": "1",
    }
    assert job("1", host).outputs_exist()
    assert not job("2", host).outputs_exist()
    assert not job("11", host).outputs_exist()


def test_no_value_passes_for_a_jobs_outputs() -> None:
    host = FakeHost()
    host.write("/p/deploy-actions/outputs.env", b"DEPLOY_JOB_ID=1\nDEPLOY_STATUS=deployed\n")
    assert not job("1", host).outputs_exist()


def test_verbs_of_one_job_add_to_one_page_and_the_next_job_begins_a_new_one() -> None:
    host = FakeHost()
    assert job("1", host).add_summary("### one\n")
    assert job("1", host).add_summary("### two <b>\n")
    assert text(host, "summary.md") == "<!-- job 1 -->\n\n### one\n\n\n### two <b>\n"
    assert "<h3>one</h3>\n<h3>two &lt;b&gt;</h3>" in text(host, "summary.html")
    assert job("2", host).add_summary("### three\n")
    assert text(host, "summary.md") == "<!-- job 2 -->\n\n### three\n"
    assert "<h3>three</h3>" in text(host, "summary.html")
    assert "two" not in text(host, "summary.html")


def test_a_page_never_grows_over_its_limit_in_bytes() -> None:
    host = FakeHost()
    assert job("1", host).add_summary(f"{'é' * 500}\n" * 1100)
    assert SUMMARY_LIMIT - 1100 < len(text(host, "summary.md").encode()) <= SUMMARY_LIMIT
    assert text(host, "summary.md").endswith("The evidence holds all of it.**\n")
    while job("1", host).add_summary("### more\n" * 200):  # a word on what is cut fits a few times yet
        assert len(text(host, "summary.md").encode()) <= SUMMARY_LIMIT
    before = dict(host.files)
    assert not job("1", host).add_summary("### more\n" * 200)
    assert host.files == before


def test_links_of_a_job_are_collected() -> None:
    host = FakeHost()
    job("1", host).add_links({f"{JOB}1/artifacts/a": "a", "https://shop.example": "Environment"})
    job("1", host).add_links({f"{JOB}1/artifacts/b": "b"})
    assert links(host) == {
        f"{JOB}1/artifacts/a": "a",
        "https://shop.example": "Environment",
        f"{JOB}1/artifacts/b": "b",
    }
    job("2", host).add_links({f"{JOB}2/artifacts/c": "c"})
    assert links(host) == {f"{JOB}2/artifacts/c": "c"}


def test_links_stay_few() -> None:
    host = FakeHost()
    job("1", host).add_links({f"{JOB}1/{number}": "x" for number in range(LINK_LIMIT + 9)})
    assert len(links(host)) == LINK_LIMIT


@pytest.mark.parametrize(
    "found",
    [
        *("", "{", "[]", "null", "[" * 9999, '{"deploy-actions": 1}'),
        '{"deploy-actions": [{"external_link": {"url": "/"}}]}',
    ],
)
def test_links_that_cannot_be_read_are_replaced(found: str) -> None:
    host = FakeHost()
    host.write(LINKS, found.encode())
    job("1", host).add_links({f"{JOB}1/a": "a"})
    assert links(host) == {f"{JOB}1/a": "a"}


def test_the_folder_is_out_of_gits_sight() -> None:
    host = FakeHost()
    job("1", host).begin()
    assert text(host, ".gitignore") == "*\n"


def test_the_helper_that_uploads_them_may_read_them() -> None:
    host = FakeHost()
    job("1", host).put_outputs({"status": "deployed"})
    assert host.modes["/p/deploy-actions/outputs.env"] == 0o644


def test_a_file_that_cannot_be_read_is_a_fault() -> None:
    class Broken(FakeHost):
        def read(self, path: str) -> bytes:
            raise PortFault(f"{path} cannot be read: is a directory")

    with pytest.raises(PortFault):
        job("1", Broken()).add_summary("x")
