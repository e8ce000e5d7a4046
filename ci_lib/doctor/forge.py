"""What the forge must demand, so that nobody walks around the gate, or into production alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ci_lib.doctor.look import look_at, met
from ci_lib.domain.doctor import Row, Seen, missing, ok, unknown, weak
from ci_lib.domain.forge import BranchRules, EnvironmentRules, Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The check that a branch has to demand; ``told``: somebody named it, and it is no convention."""

    check: str
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment as the doctor looks at it.

    ``guarded``: somebody should approve what enters it. ``names`` are the variables that deploy.yml names for
    it, each with the keys that do.
    """

    name: str
    guarded: bool
    names: Mapping[str, tuple[str, ...]]


def forge_rows(
    forge: Forge, branch: str, gate: Gate, places: Iterable[Place], here: Callable[[str], bool]
) -> Iterator[Row]:
    """Rows for the branch, and for each environment's protection and variables.

    ``here`` says whether this very job has a variable, with something in it.
    """
    wanted = f"demands {gate.check} and a review, and nobody writes over it"
    yield look_at(f"branch {branch}", wanted, lambda: _branch(forge.branch_rules(branch), gate))
    every = tuple(places)
    for place in every:
        if place.guarded:
            yield approval_row(forge, place.name)
        yield from _variables(forge, place, here, alone=len(every) == 1)


def _branch(rules: BranchRules, gate: Gate) -> Seen:
    """One verdict on all of it: what is missing goes before what cannot be told, and that before weakness."""
    if not rules.protected:
        return missing("not protected", "protect it, and demand the gate before a merge")
    lacks = [] if rules.checks else ["no check has to pass"]
    if rules.rewritable:
        lacks.append("somebody may force-push to it")
    if rules.open_to_push:
        lacks.append("whoever writes code may push to it past the gate")
    absent = bool(rules.checks) and gate.check not in rules.checks
    if absent and gate.told:
        lacks.append(f"does not demand {gate.check}")
    demanded = f"demands {', '.join(sorted(rules.checks))}" if rules.checks else ""
    if lacks:
        return missing(_told(*lacks, demanded), "change the branch's protection in the forge's settings")
    if absent:
        return unknown(_told(demanded, "which of them is the gate?"), "name its check with --check")
    weaknesses = [] if rules.reviews else ["nobody has to review"]
    if rules.reviews and rules.self_review:
        weaknesses.append("who wrote a change may approve it")
    if rules.bypass:
        weaknesses.append(f"not for everybody: {rules.bypass}")
    if weaknesses:
        return weak(_told(*weaknesses, demanded), "change the branch's protection in the forge's settings")
    return ok(_told(demanded, f"reviews: {rules.reviews}"))


def _told(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def approval_row(forge: Forge, name: str) -> Row:
    """Whether somebody has to approve what enters an environment."""
    wanted = "somebody else approves, and chosen branches alone deploy"
    return look_at(
        f"environment {name}: approval", wanted, lambda: _environment(forge.environment_rules(name))
    )


def _environment(rules: EnvironmentRules | None) -> Seen:
    hint = "change the environment's protection in the forge's settings"
    if rules is None:
        return missing("the forge does not know it", "make it there, with the name that deploy.yml has")
    started = f"may start it: {', '.join(rules.deployers)}" if rules.deployers else ""
    if not rules.approvals:
        # Who alone may start a run is some protection, and no second person.
        return (weak if started else missing)(_told("nobody has to approve", started), hint)
    approval = f"{rules.approvals} of {', '.join(rules.reviewers) or 'those who may'}"
    weaknesses = ["who starts a run may approve it"] if rules.self_review else []
    if not (rules.branches or rules.deployers):
        weaknesses.append("every branch may deploy")
    if rules.bypass:
        weaknesses.append(f"not for everybody: {rules.bypass}")
    if weaknesses:
        return weak(_told(*weaknesses, approval), hint)
    return ok(_told(approval, started))


def _variables(forge: Forge, place: Place, here: Callable[[str], bool], *, alone: bool) -> Iterator[Row]:
    """A row for each name: the forge is asked once, and not at all where this job has everything."""
    names = sorted(place.names)
    if alone and all(here(name) for name in names):
        stored: frozenset[str] | Seen = frozenset()
    else:
        stored = _stored(forge, place.name)
    for name in names:
        wanted = f"set, for {', '.join(place.names[name])}"
        seen = _variable(name, stored, set_here=here(name), alone=alone)
        yield Row(name=f"environment {place.name}: {name}", wanted=wanted, seen=seen)


def _stored(forge: Forge, environment: str) -> frozenset[str] | Seen:
    try:
        return forge.variable_names(environment)
    except Exception as error:  # as in `look_at`: one answer for several rows
        return met(error)


def _variable(name: str, stored: frozenset[str] | Seen, *, set_here: bool, alone: bool) -> Seen:
    """What this job has may be another environment's, where several are asked about."""
    if set_here and alone:
        return ok("set in this job")
    if isinstance(stored, frozenset) and name in stored:
        return ok("stored in the forge")
    if set_here:
        hint = "ask with --environment, in its job"
        return weak("set in this job, which may be another environment's", hint)
    hint = "store it there, or run doctor in the job that hands it over"
    if isinstance(stored, Seen):
        return unknown(f"not set here; {stored.value}", stored.hint or hint)
    return missing("neither set here nor stored in the forge", hint)
