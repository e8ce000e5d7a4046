"""What branch, environments and variables lack, by the answers of a forge."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from ci_lib.doctor.forge import Gate, Place, forge_rows
from ci_lib.domain.doctor import Row, Standing
from ci_lib.domain.forge import BranchRules, EnvironmentRules, ForgeFault
from ci_lib.forge.none import NoForge

OK, WEAK, MISSING, UNKNOWN = Standing.OK, Standing.WEAK, Standing.MISSING, Standing.UNKNOWN
GATE = Gate(check="Gate", told=True)
GOOD = BranchRules(protected=True, checks=("Gate", "docs"), reviews=1)
CLOSED = EnvironmentRules(reviewers=("@ann",), approvals=1, self_review=False, branches=("main",))


@dataclass
class Answers(NoForge):
    """A forge that knows what a test gives it; an exception is raised."""

    branch: BranchRules | Exception = GOOD
    environments: Mapping[str, EnvironmentRules] = field(default_factory=dict)
    variables: frozenset[str] | Exception = frozenset()
    asked: list[str] = field(default_factory=list)

    def branch_rules(self, branch: str) -> BranchRules:
        if isinstance(self.branch, Exception):
            raise self.branch
        return self.branch

    def environment_rules(self, environment: str) -> EnvironmentRules | None:
        return self.environments.get(environment)

    def variable_names(self, environment: str) -> frozenset[str]:
        self.asked.append(environment)
        if isinstance(self.variables, Exception):
            raise self.variables
        return self.variables


def place(name: str = "production", *names: str, guarded: bool = True) -> Place:
    return Place(name=name, guarded=guarded, names=dict.fromkeys(names, ("hosts.web1.key_env",)))


def rows(forge: NoForge, *places: Place, gate: Gate = GATE, here: tuple[str, ...] = ()) -> list[Row]:
    return list(forge_rows(forge, "main", gate, places, lambda name: name in here))


def branch(rules: BranchRules, gate: Gate = GATE) -> tuple[Standing, str]:
    (row,) = rows(Answers(branch=rules), gate=gate)
    assert row.name == "branch main"
    return row.seen.standing, row.seen.value


def test_a_branch_that_demands_the_gate_and_a_review_of_everybody_is_good() -> None:
    assert branch(GOOD) == (OK, "demands Gate, docs; reviews: 1")


@pytest.mark.parametrize(
    ("rules", "standing", "value"),
    [
        (BranchRules(protected=False), MISSING, "not protected"),
        (replace(GOOD, checks=()), MISSING, "no check has to pass"),
        (replace(GOOD, checks=("docs",)), MISSING, "does not demand Gate; demands docs"),
        (replace(GOOD, rewritable=True), MISSING, "somebody may force-push to it; demands Gate, docs"),
        (
            replace(GOOD, open_to_push=True, bypass="may push: Developers"),
            MISSING,
            "whoever writes code may push to it past the gate; demands Gate, docs",
        ),
        (replace(GOOD, reviews=0), WEAK, "nobody has to review; demands Gate, docs"),
        (replace(GOOD, self_review=True), WEAK, "who wrote a change may approve it; demands Gate, docs"),
        (replace(GOOD, bypass="admins"), WEAK, "not for everybody: admins; demands Gate, docs"),
        (
            replace(GOOD, checks=("gate",), reviews=0, rewritable=True),
            MISSING,
            "somebody may force-push to it; does not demand Gate; demands gate",
        ),
    ],
)
def test_what_a_branch_lacks_is_named(rules: BranchRules, standing: Standing, value: str) -> None:
    assert branch(rules) == (standing, value)


def test_which_of_other_checks_is_the_gate_cannot_be_told_where_nobody_named_it() -> None:
    unnamed = Gate(check="Gate", told=False)
    assert branch(GOOD, unnamed)[0] is OK
    (row,) = rows(Answers(branch=replace(GOOD, checks=("unit", "docs"), reviews=0)), gate=unnamed)
    assert (row.seen.standing, row.seen.value) == (UNKNOWN, "demands docs, unit; which of them is the gate?")
    assert "--check" in row.seen.hint
    assert branch(replace(GOOD, checks=()), unnamed)[0] is MISSING


def approval(rules: EnvironmentRules | None) -> tuple[Standing, str]:
    found = {"production": rules} if rules else {}
    row = rows(Answers(environments=found), place())[1]
    assert row.name == "environment production: approval"
    return row.seen.standing, row.seen.value


def test_an_environment_that_somebody_else_has_to_open_is_good() -> None:
    assert approval(CLOSED) == (OK, "1 of @ann")
    gitlabs = EnvironmentRules(
        reviewers=("@acme/ops",), approvals=2, self_review=False, deployers=("Maintainers",)
    )
    assert approval(gitlabs) == (OK, "2 of @acme/ops; may start it: Maintainers")


@pytest.mark.parametrize(
    ("rules", "standing", "value"),
    [
        (None, MISSING, "the forge does not know it"),
        (EnvironmentRules(), MISSING, "nobody has to approve"),
        (replace(CLOSED, approvals=0, reviewers=()), MISSING, "nobody has to approve"),
        (
            EnvironmentRules(deployers=("Maintainers",)),
            WEAK,
            "nobody has to approve; may start it: Maintainers",
        ),
        (replace(CLOSED, self_review=True), WEAK, "who starts a run may approve it; 1 of @ann"),
        (replace(CLOSED, bypass="admins"), WEAK, "not for everybody: admins; 1 of @ann"),
        (replace(CLOSED, branches=()), WEAK, "every branch may deploy; 1 of @ann"),
    ],
)
def test_what_an_environment_lacks_is_named(
    rules: EnvironmentRules | None, standing: Standing, value: str
) -> None:
    assert approval(rules) == (standing, value)


def test_who_approves_is_asked_of_guarded_environments_alone() -> None:
    names = [row.name for row in rows(Answers(), place("staging", guarded=False), place("production"))]
    assert names == ["branch main", "environment production: approval"]


def variable(forge: Answers, *others: Place, here: tuple[str, ...] = ()) -> tuple[Standing, str]:
    found = rows(forge, place("production", "KEY", guarded=False), *others, here=here)
    (row,) = (row for row in found if row.name == "environment production: KEY")
    assert row.wanted == "set, for hosts.web1.key_env"
    return row.seen.standing, row.seen.value


def test_a_variable_is_there_where_this_job_has_it_or_the_forge_stores_it() -> None:
    forge = Answers(variables=frozenset({"KEY"}))
    assert variable(forge) == (OK, "stored in the forge")
    assert forge.asked == ["production"]
    assert variable(forge, here=("KEY",)) == (OK, "set in this job")
    assert forge.asked == ["production"], "nobody need be asked for what is here"


def test_a_variable_that_neither_has_is_missing() -> None:
    assert variable(Answers(variables=frozenset({"OTHER"}))) == (
        MISSING,
        "neither set here nor stored in the forge",
    )


def test_what_this_job_has_proves_nothing_for_several_environments() -> None:
    other = place("staging", guarded=False)
    standing, value = variable(Answers(), other, here=("KEY",))
    assert (standing, value) == (WEAK, "set in this job, which may be another environment's")
    assert variable(Answers(variables=frozenset({"KEY"})), other, here=("KEY",))[0] is OK


def test_what_a_forge_does_not_tell_is_unknown_and_hides_nothing() -> None:
    fault = ForgeFault("the names cannot be had: 403", hint="give the token `secrets: read`")
    forge = Answers(branch=ForgeFault("no answer"), environments={"production": CLOSED}, variables=fault)
    found = rows(forge, place("production", "KEY", "SET"), here=("SET",))
    assert [(row.name, row.seen.standing) for row in found] == [
        ("branch main", UNKNOWN),
        ("environment production: approval", OK),
        ("environment production: KEY", UNKNOWN),
        ("environment production: SET", OK),
    ]
    assert found[2].seen.value == "not set here; the names cannot be had: 403"
    assert found[2].seen.hint == "give the token `secrets: read`"


def test_a_defect_in_one_answer_hides_no_other() -> None:
    forge = Answers(branch=KeyError("x"), variables=TypeError("y"), environments={"production": CLOSED})
    found = rows(forge, place("production", "KEY"))
    assert [row.seen.standing for row in found] == [UNKNOWN, OK, UNKNOWN]
    assert "a defect of deploy-actions: KeyError" in found[0].seen.value


def test_without_a_forge_nothing_of_it_can_be_told() -> None:
    found = rows(NoForge("no forge is named here", hint="set GITHUB_TOKEN"), place("production", "KEY"))
    assert {row.seen.standing for row in found} == {UNKNOWN}
    assert {row.seen.hint for row in found} == {"set GITHUB_TOKEN"}
