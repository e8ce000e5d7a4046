"""What lies on the host against the kept release, from the host's answers."""

import hashlib
import json
from dataclasses import replace
from typing import Any

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.tree import entries_hash
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.commands import CONFIG, PROJECT, RELEASE, SERVICE, VERSION
from ci_lib.targets.compose.drift import drift
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.pin import render
from ci_lib.targets.compose.site import Site
from tests.contract.fake_target import image, settings
from tests.fakes import Call, FakeClock, FakeHost

PIN = "compose.override.yaml"
FILES = {"docker-compose.yml": "services", "conf/a.conf": "a"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


DEPLOYED = Release(
    images=(image("api", "v1"), image("web", "v1")),
    files=entries_hash({path: f"- {digest(text)}" for path, text in FILES.items()}),
)
WRITTEN = render(DEPLOYED, settings(), labels={}, defined={"backend", "nginx"})
OURS = {RELEASE: DEPLOYED.id, VERSION: "v1", CONFIG: settings().config_hash}


def container(service: str, **labels: str) -> dict[str, Any]:
    named = {SERVICE: service, PROJECT: "shop-staging", **OURS, **labels}
    return {"Id": service, "Image": "sha256:i", "Config": {"Labels": {k: v for k, v in named.items() if v}}}


def rows(
    *,
    release: Release = DEPLOYED,
    current: str = DEPLOYED.id,
    layout: tuple[str, ...] = ("docker-compose.yml", PIN),
    there: dict[str, str] | None = None,
    kept: dict[str, str] | None = None,
    foreign: tuple[str, ...] = (),
    running: tuple[dict[str, Any], ...] = (),
    pin: bytes = WRITTEN,
) -> tuple[CheckResult, ...]:
    whole = {**FILES, PIN: WRITTEN.decode()}
    memory = "".join(
        [
            f"current {current}\n",
            *(f"foreign {name}\n" for name in foreign),
            f"good {json.dumps(release.as_json())}\n",
            *(f"layout {name}\n" for name in layout),
        ]
    )

    def answer(call: Call) -> Ran:
        script = call.argv[2]
        if "docker ps" in script:
            found = "".join(f"x {json.dumps(item)}\n" for item in running)
            return Ran(code=0, stdout=f"0\n{found}---\n")
        if "printf 'current" in script:
            return Ran(code=0, stdout=memory)
        sums = [_sums(part or whole) for part in (kept, there)]
        return Ran(code=0, stdout=f"settings {{}}\n\nkept\n{sums[0]}executable\nthere\n{sums[1]}")

    host = FakeHost(commands={("sh", "-c"): answer})
    site = Site(settings=settings(), host=host, clock=FakeClock())
    host.files[f"{site.state}/releases/{release.id}/files/{PIN}"] = pin
    found = drift(site, Memory(site), release)
    assert not any("flock" in call.argv for call in host.calls), "it only looks"
    return found


def _sums(files: dict[str, str]) -> str:
    return "".join(f"{digest(text)}  {path}\n" for path, text in files.items())


def wrong(found: tuple[CheckResult, ...]) -> dict[str, str]:
    return {row.name: row.value for row in found if row.mark is Mark.FAILED}


def test_what_is_as_it_was_deployed_passes_and_is_counted() -> None:
    found = rows(running=(container("backend"), container("nginx")))
    assert wrong(found) == {}
    assert [(row.name, row.value) for row in found] == [
        ("kept files", "the recorded hash"),
        ("files", "2 as deployed"),
        (f"pin {PIN}", "as written"),
        ("labels of backend", "as deployed"),
        ("labels of nginx", "as deployed"),
    ]


def test_a_file_that_was_edited_or_is_gone_is_named_without_its_content() -> None:
    found = rows(there={"docker-compose.yml": "password: hunter2", PIN: WRITTEN.decode()})
    assert wrong(found) == {
        "file conf/a.conf": "missing, or no plain file",
        "file docker-compose.yml": "changed",
    }
    assert "hunter2" not in str(found)


def test_a_pin_that_was_edited_or_is_gone_is_told() -> None:
    assert wrong(rows(there={**FILES, PIN: "other"})) == {f"pin {PIN}": "changed"}
    assert wrong(rows(there=FILES)) == {f"pin {PIN}": "missing, or no plain file"}


def test_kept_files_that_are_not_the_recorded_ones_prove_nothing() -> None:
    both = {**FILES, "conf/a.conf": "b", PIN: WRITTEN.decode()}
    assert wrong(rows(kept=both, there=both)) == {
        "kept files": "another hash: they were changed, or are not whole"
    }


def test_labels_that_are_missing_or_other_are_named() -> None:
    bare = container("nginx", **{RELEASE: "", VERSION: "", CONFIG: ""})
    found = rows(running=(container("backend", **{VERSION: "v0"}), bare))
    assert wrong(found) == {
        "labels of backend": f"missing or other: {VERSION}",
        "labels of nginx": f"missing or other: {CONFIG}, {RELEASE}, {VERSION}",
    }


def test_services_that_were_not_switched_keep_the_labels_that_the_pin_has_for_them() -> None:
    older = {**OURS, RELEASE: "older"}
    pin = render(DEPLOYED, settings(), labels={"nginx": older}, defined={"backend", "nginx"})
    assert wrong(rows(pin=pin, running=(container("nginx", **{RELEASE: "older"}),))) == {}
    assert wrong(rows(pin=pin, running=(container("nginx"),))) == {
        "labels of nginx": f"missing or other: {RELEASE}"
    }


def test_a_kept_pin_that_cannot_be_read_proves_nothing() -> None:
    for pin in (b"", b"# mark\n{", b"# mark\n[]", b'# mark\n{"services": {"nginx": {}}}', b"\xff"):
        assert wrong(rows(pin=pin)) == {"labels": "the kept pin cannot be read"}


def test_an_override_that_no_release_brought_is_told() -> None:
    assert wrong(rows(foreign=("docker-compose.override.yml", ".env"))) == {
        "override docker-compose.override.yml": "there",
        ".env": "names COMPOSE_FILE",
    }


def test_what_the_layout_has_is_no_stranger() -> None:
    explicit = ("docker-compose.yml", "docker-compose.override.yml", PIN.replace("override", "x"))
    found = rows(layout=explicit, foreign=("docker-compose.override.yml", ".env"))
    assert not {"override docker-compose.override.yml", ".env"} & set(wrong(found))


def test_of_another_release_than_the_one_that_lies_there_nothing_is_compared() -> None:
    (row,) = rows(current="another")
    assert (row.mark, row.value) == (Mark.SKIPPED, "another release lies there")


def test_of_an_adopted_release_no_hash_was_recorded() -> None:
    adopted = replace(DEPLOYED, files="", adopted=True)
    found = rows(release=adopted, current=adopted.id, layout=(), kept=FILES, there=FILES)
    assert [row.name for row in found] == ["files"]
