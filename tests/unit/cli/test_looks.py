"""Which checks of several hosts look from where."""

from collections.abc import Callable
from typing import Any, cast

from ci_lib.cli.looks import looks_on
from ci_lib.config.checks import (
    Check,
    CommandCheck,
    HealthCheck,
    HttpCheck,
    ScriptCheck,
    TcpCheck,
    looks_from_host,
)
from ci_lib.domain.outcome import CheckResult, Mark
from tests.fakes import FakeHost

URL = "http://127.0.0.1:8000/ready"
CHECKS: tuple[Check, ...] = (
    HealthCheck(name="health", type="health"),
    CommandCheck(name="command", type="command", service="api", command=("true",)),
    HttpCheck.model_validate({"name": "there", "type": "http", "from": "host", "url": URL}),
    HttpCheck.model_validate({"name": "outside", "type": "http", "url": URL}),
    TcpCheck.model_validate(
        {"name": "inside", "type": "tcp", "from": "container", "service": "api", "port": 1}
    ),
    ScriptCheck.model_validate({"name": "ours", "type": "script", "command": ["true"]}),
    ScriptCheck.model_validate({"name": "theirs", "type": "script", "from": "host", "command": ["true"]}),
)


def test_what_looks_from_the_runner_looks_at_no_host() -> None:
    assert [check.name for check in CHECKS if not looks_from_host(check)] == ["outside", "ours"]


def test_each_host_has_its_own_looks_and_the_runner_has_the_rest_once() -> None:
    def make(wanted: Callable[[Check], bool], host: FakeHost, *_: Any, on: str = "") -> Any:
        def look(groups: tuple[str, ...], facts: Any) -> tuple[CheckResult, ...]:
            return tuple(
                CheckResult(name=f"{check.name} on {on}", mark=Mark.PASSED, value=host.name, bound="")
                for check in CHECKS
                if wanted(check)
            )

        return look

    hosts = (FakeHost(name="web1"), FakeHost(name="web2"))
    look = looks_on(make, hosts, {name: cast("Any", (None, None)) for name in ("web1", "web2")})
    there = look("web2", ("checks",), {})
    assert [row.name for row in there] == [
        f"{name} on web2" for name in ("health", "command", "there", "inside", "theirs")
    ]
    assert {row.value for row in there} == {"web2"}
    assert [row.name for row in look("", ("checks",), {})] == ["outside on ", "ours on "]
