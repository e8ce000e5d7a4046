"""Manifests, and what commands are told, on a host in memory; real ones: `integration/test_restore.py`."""

import json
from typing import Any

import pytest

from ci_lib.config.backup import Mysql, ServiceDump
from ci_lib.domain.backups import Saved, SavedDatabase, is_backup_name
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.dumps import Dumper, failed
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.manifest import Manifest
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.restore import configured, restorable
from ci_lib.targets.compose.scratch import Trial, attempt
from ci_lib.targets.compose.site import Site
from tests.contract.fake_target import image, settings
from tests.fakes import START, FakeClock, FakeHost

DATABASES = """\
    backup:
      databases:
        - {type: postgres, service: db, user: shop, database: shop}
        - {type: service, service: dump, folder: backups}
"""
RELEASE = Release(images=(image("api", "v1"), image("web", "v1")), files="f")
POSTGRES = SavedDatabase(
    type="postgres", service="db", database="shop", file="db-shop.dump", sha256="ab", size=7
)
SAVED = Saved(
    name="20260102T030405Z",
    made_at=START,
    release=RELEASE,
    databases=(POSTGRES,),
    files={"db-shop.dump": "ab", "files/.env": "cd"},
)


def site(**commands: Any) -> tuple[Site, FakeHost]:
    host = FakeHost(commands={("sh", "-c"): Ran(code=0), **commands})
    return Site(settings=settings("staging", DATABASES), host=host, clock=FakeClock()), host


def listing(*bodies: tuple[str, bytes]) -> Ran:
    return Ran(code=0, stdout="".join(f"={name}\n{body.decode()}" for name, body in bodies))


class TestNames:
    @pytest.mark.parametrize("name", ["20260102T030405Z", "20260102T030405Z-2"])
    def test_a_time_is_one(self, name: str) -> None:
        assert is_backup_name(name)

    @pytest.mark.parametrize(
        "name", ["", "../20260102T030405Z", "20260102T030405Z/..", "20260102T030405Z.shop.partial", "latest"]
    )
    def test_nothing_else_is(self, name: str) -> None:
        assert not is_backup_name(name)
        with pytest.raises(StepFault):
            Manifest(site=site()[0]).folder(name)


class TestManifest:
    def test_what_was_written_is_read_again_newest_first(self) -> None:
        where, host = site()
        manifest = Manifest(site=where)
        body = manifest.text(SAVED)
        older = body.replace(b"2026-01-02", b"2026-01-01")
        host.commands["sh", "-c"] = listing(("20260101T030405Z", older), (SAVED.name, body))
        newest, oldest = manifest.listed()
        assert newest == SAVED
        assert oldest.name == "20260101T030405Z"
        assert manifest.line.encode() in body

    @pytest.mark.parametrize(
        "wrong",
        [
            {"schema_version": 2},
            {"files": {"../../etc/passwd": "ab"}},
            {"databases": [POSTGRES.as_json() | {"file": "/etc/passwd"}]},
            {"made_at": "yesterday"},
        ],
    )
    def test_one_that_cannot_be_believed_is_left_out(self, wrong: dict[str, Any]) -> None:
        where, host = site()
        manifest = Manifest(site=where)
        body = json.dumps(json.loads(manifest.text(SAVED)) | wrong, indent=1).encode()
        host.commands["sh", "-c"] = listing((SAVED.name, body))
        assert manifest.listed() == ()

    def test_files_that_differ_are_named_and_the_rest_is_not(self) -> None:
        said = "db-shop.dump: FAILED\nfiles/.env: OK\n"
        where, host = site()
        host.commands["sh", "-c"] = Ran(code=1, stdout=said, stderr="WARNING: 1 checksum did NOT match")
        assert Manifest(site=where).broken(SAVED) == ("db-shop.dump",)
        assert host.calls[-1].stdin == b"ab  db-shop.dump\ncd  files/.env\n"
        host.commands["sh", "-c"] = Ran(code=2, stderr="cd: can't cd to it")
        with pytest.raises(StepFault):
            Manifest(site=where).broken(SAVED)


class TestDumps:
    def test_the_password_of_a_database_is_named_and_never_known(self) -> None:
        where, host = site()
        host.commands["sh", "-c"] = Ran(code=0, stdout="1\n" + RUNNING)
        host.commands["flock",] = Ran(code=0)
        mysql = Mysql(type="mysql", service="db", database="shop", password_env="ROOT_PASSWORD")
        made = Dumper(site=where, layout=Layout(where, Memory(where)), folder="/b/x").dump(mysql, 60)
        assert made == "db-shop.sql.gz"
        assert host.calls[-1].argv[-4:] == ("/b/x/db-shop.sql.gz", "root", "ROOT_PASSWORD", "shop")
        assert host.calls[-1].env == {}

    def test_no_time_left_is_said_before_anything_runs(self) -> None:
        where, host = site()
        dumper = Dumper(site=where, layout=Layout(where, Memory(where)), folder="/b/x")
        dump = ServiceDump(type="service", service="dump", folder="backups")
        with pytest.raises(StepFault, match="no time is left for dump") as error:
            dumper.dump(dump, 0)
        assert error.value.reason is Reason.BACKUP
        assert host.calls == []

    def test_a_full_disk_has_a_hint_of_its_own(self) -> None:
        assert "free space" in failed("dump", "write error: No space left on device").hint
        assert "backup.enabled" in failed("dump", "connection refused").hint


class TestRestorable:
    RESTORE = DATABASES.replace("backups}", "backups, restore: {service: a, variable: F, folder: /b}}")

    def test_what_deploy_yml_knows_can_be_put_back(self) -> None:
        restorable(settings("staging", self.RESTORE), SAVED)
        assert configured(settings("staging", self.RESTORE), POSTGRES).service == "db"

    def test_what_it_does_not_know_is_told(self) -> None:
        database = SavedDatabase.from_json(POSTGRES.as_json() | {"database": "other"})
        saved = Saved(name=SAVED.name, made_at=START, release=None, databases=(database,))
        with pytest.raises(StepFault, match=r"db/other \(postgres\) is in the backup, and not under"):
            restorable(settings("staging", self.RESTORE), saved)

    def test_so_is_what_the_safety_backup_could_not_put_back(self) -> None:
        with pytest.raises(StepFault, match="dump has no `restore:`"):
            restorable(settings("staging", DATABASES), SAVED)

    def test_a_backup_without_a_database_is_told(self) -> None:
        with pytest.raises(StepFault, match="has no database"):
            restorable(settings("staging", DATABASES), Saved(name="x", made_at=START, release=None))


class TestScratch:
    TRIAL = Trial(path="/b/x/db.dump", engine="postgres", container="c0ffee", user="shop")

    def test_the_rows_of_each_table_are_counted(self) -> None:
        where, host = site()
        host.commands["flock",] = Ran(code=0, stdout="3\n0\n")
        assert attempt(where, self.TRIAL, limit=60).tables == [3, 0]

    @pytest.mark.parametrize(
        ("ran", "said"),
        [
            (Ran(code=1, stderr="pg_restore: error: unexpected end of file\n"), "unexpected end of file"),
            (Ran(code=124), "took longer than 60 s"),
            (Ran(code=75), "another restore test was at work"),
        ],
    )
    def test_why_there_are_none_is_said(self, ran: Ran, said: str) -> None:
        where, host = site()
        host.commands["flock",] = ran
        assert said in attempt(where, self.TRIAL, limit=60).wrong


RUNNING = json.dumps(
    {
        "Id": "c0ffee",
        "Image": "sha256:1",
        "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05Z", "ExitCode": 0},
        "Config": {"Labels": {"com.docker.compose.service": "db"}},
    }
)
RUNNING = f"sha256:1 {RUNNING}\n---\n"
