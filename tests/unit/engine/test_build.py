"""The flow of a build, with a builder and a registry in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from ci_lib.domain.build import Order, Remote, Source, Variant
from ci_lib.domain.errors import Cancelled, DeployError
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.build import BuildTools, run_build
from ci_lib.images.fetch import Denied
from ci_lib.ports.protocols import TimedOut
from tests.fakes import FakeClock, FakeReporter

BASE = Outcome(verb=Verb.BUILD, status=Status.UNKNOWN, reason=Reason.BUG, stack="shop", version="v1")
COMMIT = "a1" * 20
SOURCE = Source(commit=COMMIT, time=1)
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
VARIANT = Variant(platform="linux/amd64", digest=DIGEST, size=7)
OURS = Remote(digest=DIGEST, variants=(VARIANT,), revisions=frozenset({COMMIT}))
MISSING = DeployError("no such image", reason=Reason.IMAGE_MISSING)


def order(name: str = "api") -> Order:
    return Order(
        name=name,
        repository=f"r.example/{name}",
        version="v1",
        tags=("main",),
        context="/src",
        dockerfile="/src/Dockerfile",
    )


@dataclass
class Bench:
    """`there` is what the registry answers, one after the other; `made` what the builder says it pushed."""

    there: list[Remote | Exception] = field(default_factory=lambda: [MISSING, OURS])
    made: str | BaseException = DIGEST
    built: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    reporter: FakeReporter = field(default_factory=FakeReporter)

    def make(self, order: Order, told: Callable[[str], None]) -> str:
        told("a line")
        self.built.append(order.name)
        if isinstance(self.made, BaseException):
            raise self.made
        return self.made

    def look(self, reference: Reference) -> Remote:
        answer = self.there.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def play(self, *orders: Order, source: Source = SOURCE) -> Outcome:
        tools = BuildTools(make=self.make, look=self.look, clock=self.clock, reporter=self.reporter)
        return run_build(orders or (order(),), source, BASE, tools)


def test_an_image_is_built_pushed_and_read_back() -> None:
    bench = Bench()
    outcome = bench.play()
    assert (outcome.status, outcome.reason, outcome.version) == (Status.PASSED, Reason.PASSED, "v1")
    (built,) = outcome.builds
    assert (built.image.digest, built.tags, built.reused) == (DIGEST, ("v1", "main"), False)
    assert built.variants == (VARIANT,)
    assert [change.image.reference for change in outcome.changes] == [f"r.example/api:v1@{DIGEST}"]
    assert bench.reporter.said == [("step", "build api"), ("output", "a line"), ("done", "build api passed")]


def test_what_is_there_from_this_commit_is_used_and_nothing_else_is_touched() -> None:
    bench = Bench(there=[OURS])
    (built,) = bench.play().builds
    assert (built.reused, built.tags, bench.built) == (True, ("v1",), [])


@pytest.mark.parametrize("revisions", [{OTHER}, {""}, {COMMIT, ""}, set()])
def test_what_is_there_and_says_something_else_is_not_pushed_over(revisions: set[str]) -> None:
    bench = Bench(there=[replace(OURS, revisions=frozenset(revisions))])
    outcome = bench.play()
    assert (outcome.exit, outcome.reason, bench.built) == (Exit.STOPPED, Reason.BUILD, [])
    assert outcome.failure is not None
    assert "never pushed over" in outcome.failure.hint


def test_changed_files_are_never_taken_for_what_is_there() -> None:
    dirty = replace(SOURCE, changed=("app.py",))
    bench = Bench(there=[replace(OURS, revisions=frozenset({dirty.revision}))])
    assert bench.play(source=dirty).reason is Reason.BUILD
    assert bench.built == []


def test_a_registry_that_refuses_to_tell_before_the_first_push_does_not_stop_it() -> None:
    outcome = Bench(there=[Denied("r.example refused"), OURS]).play()
    assert outcome.green
    assert outcome.steps[0].notes[0] == "not known whether it is there already: r.example refused"


def test_a_registry_that_is_gone_stops_before_the_build() -> None:
    bench = Bench(there=[DeployError("r.example does not answer", reason=Reason.REGISTRY)])
    assert (bench.play().reason, bench.built) == (Reason.REGISTRY, [])


def test_what_the_registry_has_must_be_what_the_builder_pushed() -> None:
    outcome = Bench(made=OTHER).play()
    assert (outcome.exit, outcome.reason, outcome.builds) == (Exit.STOPPED, Reason.BUILD, ())
    assert outcome.failure is not None
    assert OTHER in outcome.failure.cause
    assert DIGEST in outcome.failure.cause


def test_a_registry_gets_a_moment_to_know_what_was_pushed() -> None:
    bench = Bench(there=[MISSING, MISSING, MISSING, OURS])
    assert bench.play().green
    assert bench.clock.slept == [1.0, 3.0]
    lost = Bench(there=[MISSING] * 4).play()
    assert (lost.reason, lost.exit) == (Reason.BUILD, 3)
    assert lost.failure is not None
    assert "pushed as sha256:" in lost.failure.cause
    assert "nothing was changed" not in lost.failure.hint


def test_the_first_failure_ends_it_and_what_is_built_is_told() -> None:
    bench = Bench(there=[OURS, MISSING], made=DeployError("no", hint="yes", reason=Reason.BUILD))
    outcome = bench.play(order("api"), order("web"), order("more"))
    assert [built.image.name for built in outcome.builds] == ["api"]
    assert (bench.built, outcome.status) == (["web"], Status.FAILED)
    assert outcome.failure is not None
    assert (outcome.failure.step, outcome.failure.cause, outcome.failure.hint) == ("build web", "no", "yes")


def test_a_fault_of_the_world_is_a_failure_and_a_signal_ends_everything() -> None:
    assert Bench(made=TimedOut("docker did not end")).play().reason is Reason.UNREACHABLE
    outcome = Bench(there=[OURS, MISSING], made=Cancelled()).play(order("api"), order("web"), order("more"))
    assert (outcome.reason, outcome.exit) == (Reason.CANCELLED, 130)
    assert [built.image.name for built in outcome.builds] == ["api"], "what is in the registry is told"
