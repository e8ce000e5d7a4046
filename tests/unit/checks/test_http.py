from typing import Any

import pytest

from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.ports.protocols import Response
from tests.unit.checks.places import Place

URL = "https://shop.example/ready"


def ask(answer: Response, **check: Any) -> CheckResult:
    place = Place()
    place.net.pages[URL] = answer
    return place.run(type="http", url=URL, **check)


def test_the_status_is_told_with_its_name() -> None:
    result = ask(Response(status=503))
    assert (result.mark, result.value, result.bound) == (Mark.FAILED, "503 Service Unavailable", "200")


def test_an_unknown_status_is_told_by_its_number() -> None:
    assert ask(Response(status=599)).value == "599"


def test_another_status_can_be_demanded() -> None:
    assert ask(Response(status=302), status=302).mark is Mark.PASSED


def test_text_in_the_body_is_found_and_missed() -> None:
    found = ask(Response(status=200, body="ça va".encode()), contains="ça va")
    missed = ask(Response(status=200, body=b"no"), contains="yes")
    assert (found.mark, found.value) == (Mark.PASSED, "200 OK, body has 'ça va'")
    assert (missed.mark, missed.value, missed.bound) == (
        Mark.FAILED,
        "200 OK, body lacks 'yes'",
        "200, body has 'yes'",
    )


@pytest.mark.parametrize(
    ("body", "field", "equals"),
    [
        (b'{"a": {"b": [{"c": "ok"}]}}', "a.b.0.c", "ok"),
        (b'{"a": true}', "a", "true"),
        (b'{"a": null}', "a", "null"),
        (b'{"a": 3}', "a", "3"),
        (b'{"a": 1.50}', "a", "1.50"),
        (b'{"a": {}}', "a", None),
        (b'{"": "x"}', "", "x"),
    ],
)
def test_a_json_field_that_is_as_demanded_passes(body: bytes, field: str, equals: str | None) -> None:
    assert ask(Response(status=200, body=body), json_field=field, equals=equals).mark is Mark.PASSED


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b'{"a": "no"}', "a", "a = no"),
        (b'{"a": true}', "a.b", "a.b is missing"),
        (b'{"a": []}', "a.0", "a.0 is missing"),
        (b'{"a": [1]}', "a.-1", "a.-1 is missing"),
        (b'{"a": {"b": 1}}', "a", "a is no single value"),
        (b"<html>", "a", "body is not JSON"),
        (b"\xff\xfe\xff", "a", "body is not JSON"),
        (b"[" * 200_000, "a", "body is not JSON"),
        (b"", "a", "body is not JSON"),
    ],
)
def test_a_json_field_that_cannot_be_had_fails(body: bytes, field: str, value: str) -> None:
    result = ask(Response(status=200, body=body), json_field=field, equals="ok")
    assert (result.mark, result.value) == (Mark.FAILED, f"200 OK, {value}")
    assert result.bound == f"200, {field} = ok"


def test_equals_without_a_field_does_not_pass_unseen() -> None:
    assert ask(Response(status=200), equals="ok").mark is Mark.FAILED


def test_headers_are_compared_whatever_their_case() -> None:
    answer = Response(status=200, headers={"x-release": "sha-1"})
    assert ask(answer, header={"X-Release": "sha-1"}).mark is Mark.PASSED
    other = ask(answer, header={"X-Release": "sha-2"})
    assert (other.mark, other.value, other.bound) == (
        Mark.FAILED,
        "200 OK, X-Release: sha-1",
        "200, X-Release: sha-2",
    )
    assert ask(answer, header={"X-Other": "1"}).value == "200 OK, no X-Other"


def test_from_the_runner_the_url_is_asked_as_it_stands() -> None:
    place = Place()
    place.net.pages[URL] = Response(status=200)
    place.run(type="http", url=URL, timeout="7s")
    assert [(r.method, r.connect_to, r.timeout) for r in place.net.requests] == [("GET", None, 7.0)]
    assert place.host.forwards == []


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1:8000/ready", ("127.0.0.1", 8000)),
        ("https://shop.example/", ("shop.example", 443)),
        ("http://[::1]/", ("::1", 80)),
    ],
)
def test_from_the_host_it_goes_through_a_forward(url: str, wanted: tuple[str, int]) -> None:
    place = Place()
    place.net.pages[url] = Response(status=200)
    assert place.run(type="http", url=url, start="host").mark is Mark.PASSED
    assert place.host.forwards == [wanted]
    assert place.net.requests[0].connect_to == ("127.0.0.1", wanted[1] + 20_000)
    assert place.host.open_forwards == 0


def test_from_a_container_only_the_address_is_replaced() -> None:
    place = Place()
    place.containers.addresses["web"] = "172.18.0.4"
    place.net.pages["http://web:8080/"] = Response(status=200)
    result = place.run(type="http", url="http://web:8080/", start="container", service="web")
    assert result.mark is Mark.PASSED
    assert place.host.forwards == [("172.18.0.4", 8080)]


def test_a_container_that_does_not_run_fails_the_check() -> None:
    result = Place().run(type="http", url=URL, start="container", service="web")
    assert (result.mark, result.value) == (Mark.FAILED, "no container of web runs")


@pytest.mark.parametrize("url", ["http://:80/", "http://x:99999/", "http://[::1/"])
def test_an_impossible_url_fails_the_check(url: str) -> None:
    result = Place().run(type="http", url=url, start="host")
    assert (result.mark, result.value) == (
        Mark.FAILED,
        "the check's `url` names no host or an impossible port",
    )


def test_a_container_check_without_a_service_fails() -> None:
    result = Place().run(type="http", url=URL, start="container")
    assert (result.mark, result.value) == (Mark.FAILED, "`from: container` has no `service`")
