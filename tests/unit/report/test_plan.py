"""The plan as text and as a page, compared as whole texts."""

from dataclasses import replace

from ci_lib.domain.differences import Difference, Differences, How
from ci_lib.domain.images import Image
from ci_lib.domain.proposal import SchemaOutlook
from ci_lib.plan.deploy import deploy
from ci_lib.plan.proposal import proposal
from ci_lib.report.plan import plan, plan_page
from tests.contract.fake_target import image
from tests.unit.plan.test_plans import ADOPTED, MIGRATING, NEW, OLD, PARTIAL, PLAIN, running

CHANGED = Differences(
    settings=(
        Difference(name="backend.environment.LOG_LEVEL", how=How.CHANGED),
        Difference(name="nginx.ports", how=How.ADDED),
    ),
    files=(Difference(name="nginx.conf", how=How.REMOVED),),
)
NONE = Differences()


def found(ground=PLAIN, differences=NONE, schema=None):  # noqa: ANN001, ANN201
    made = proposal(ground, deploy(ground), schema=schema, differences=differences)
    return replace(made, hash="1" * 64 + "-" + "2" * 28)


def old(name: str) -> str:
    return f"v1 {image(name, 'v1').kept_as}"


def new(name: str) -> str:
    return f"v2 {image(name, 'v2').kept_as}"


def test_the_text_shows_what_changes_what_to_expect_the_steps_and_the_hash() -> None:
    assert plan(found(PARTIAL, CHANGED)) == f"""\
SERVICE  IMAGE  NOW              THEN
backend  api    {old("api")}  {new("api")}
worker   api    {old("api")}  {new("api")}

CHANGES  WHAT                           HOW
setting  backend.environment.LOG_LEVEL  changed
setting  nginx.ports                    added
file     nginx.conf                     removed

release:      api:v2,web:v1 ({PARTIAL.release.id[:12]}), now v1 ({OLD.id[:12]})
hosts:        here
migrations:   none: this run does not migrate
interruption: backend, worker: down from the stop of the old instance until the new one serves, at most 7 min

 1. preflight (at most 2 min)
 2. prepare (at most 2 min)
 3. pull api (at most 10 min)
 4. pull web (at most 10 min)
 5. switch (at most 5 min); if anything after it fails: restore, then await_serving, then prove
 6. await_serving (at most 2 min)
 7. prove (at most 1 min)
 8. check (at most 23 s)
 9. prove (at most 1 min)
10. retain (at most 1 min)

plan hash: {"1" * 64}-{"2" * 28}
"""


def test_the_page_shows_the_same_with_the_steps_folded_and_the_hash_to_be_copied() -> None:
    page = plan_page(found(PARTIAL, CHANGED))
    assert page.startswith(f"""\
### Plan: shop staging `v1` → `api:v2,web:v1`

| Service | Image | Now | Then |
| --- | --- | --- | --- |
| `backend` | `api` | `{old("api")}` | `{new("api")}` |
| `worker` | `api` | `{old("api")}` | `{new("api")}` |

| Changes | What | How |
| --- | --- | --- |
| setting | `backend.environment.LOG_LEVEL` | changed |
| setting | `nginx.ports` | added |
| file | `nginx.conf` | removed |

|  | Expected |
""")
    assert page.endswith(f"""\
</details>

Plan hash, for `--plan-hash`:

```text
{"1" * 64}-{"2" * 28}
```
""")
    assert "<details><summary>Steps (10)</summary>" in page


def test_a_page_stays_short_enough_for_a_comment_and_keeps_its_hash() -> None:
    many = tuple(Difference(name=f"{'x' * 250}{number}", how=How.ADDED) for number in range(5000))
    page = plan_page(found(PLAIN, Differences(files=many)))
    assert len(page.encode()) < 65_536
    assert "2" * 28 in page


def test_hostile_names_stay_text() -> None:
    evil = Differences(files=(Difference(name="a|b`<script>@all\u202e", how=How.ADDED),))
    page = plan_page(found(PLAIN, evil))
    assert "<script>" not in page
    assert "\u202e" not in page + plan(found(PLAIN, evil))


def lines(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(word))


def test_what_the_records_know_of_the_schema_is_said_and_no_more() -> None:
    def said(now: tuple[str, ...] | None, then: tuple[str, ...] | None) -> str:
        outlook = SchemaOutlook(tool="alembic", now=now, then=then)
        return lines(plan(found(MIGRATING, schema=outlook)), "migrations:").partition(": ")[2].strip()

    assert said(("1",), ("2",)) == "pending: the schema is at 1 by the records, and this image leads to 2"
    assert said(("2",), ("2",)).startswith("none pending: ")
    assert said(("1",), None) == (
        "the schema is at 1 by the records; "
        "where this image leads is not recorded: alembic is asked when it runs"
    )
    assert said(None, ("2",)) == (
        "may be pending: where the schema stands is not recorded, and this image leads to 2"
    )


def test_what_is_interrupted_depends_on_what_serves() -> None:
    def said(ground) -> str:  # noqa: ANN001
        return lines(plan(found(ground)), "interruption:").partition(": ")[2].strip()

    assert said(replace(PLAIN, running=(), previous=None)) == "none: nothing serves yet"
    assert said(replace(PLAIN, running=running(NEW), previous=NEW, good=True)).startswith("none: the release")
    assert said(replace(PLAIN, running=())) == "none: no service that is replaced runs"


def test_what_changes_beside_a_release_that_serves_already_is_said_to_wait() -> None:
    serves = replace(PLAIN, running=running(NEW), previous=NEW, good=True)
    assert lines(plan(found(serves, CHANGED)), "not applied:").endswith("what changes waits")
    assert "not applied" not in plan(found(serves)) + plan(found(PLAIN, CHANGED))


def test_an_adopted_release_and_one_that_runs_beside_the_records_are_called_so() -> None:
    adopted = plan(found(replace(PLAIN, previous=ADOPTED, adopted=ADOPTED), Differences(unknown=("why",))))
    assert "becomes the way back" in lines(adopted, "adoption:")
    assert lines(adopted, "not compared:").endswith("why")
    stranger = tuple(replace(item, image_ids=("other@sha256:x",)) for item in PLAIN.running)
    assert "another than recorded" in lines(plan(found(replace(PLAIN, running=stranger))), "backend")


def test_a_first_release_has_nothing_now() -> None:
    text = plan(found(replace(PLAIN, running=(), previous=None)))
    assert lines(text, "nginx").split() == ["nginx", "web", "-", *new("web").split()]
    assert "the first one here" in text
    assert isinstance(NEW.image("web"), Image)
