"""The steps that the engine performs itself, so that no target can be lenient about them."""

from collections.abc import Callable, Mapping

from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import CheckResult, Mark, objections
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Running
from ci_lib.domain.target import Candidate, Target
from ci_lib.engine.tools import Tools
from ci_lib.plan.ground import instances, strangers
from ci_lib.ports.protocols import PortFault

_POLL = 2.0
"""Seconds between two looks at what is going away."""

_LOOKS = 2
"""Looks that find nothing: something else may start again what has just gone."""

_Identity = tuple[tuple[str, str, int, bool], ...]


class Examiner:
    """Performs the steps of ``ENGINE_KINDS``; ``preflight`` and ``checks`` collect what was found.

    ``candidate`` is what preflight looks at; ``variables`` are the facts for hooks and checks.
    """

    def __init__(
        self, tools: Tools, candidate: Candidate | None, variables: Mapping[str, str] | None
    ) -> None:
        self._tools = tools
        self._candidate = candidate
        self._variables = variables or {}
        self._identity: dict[str, _Identity] = {}
        """What was proved to run on each host, or under an empty name where there is one."""
        self.preflight: list[CheckResult] = []
        self.checks: list[CheckResult] = []
        self.steps: Mapping[StepKind, Callable[[Step], StepReport]] = {
            StepKind.PREFLIGHT: self._preflight,
            StepKind.PROVE: self._prove,
            StepKind.CHECK: self._check,
            StepKind.HOOK: self._hook,
        }

    def begin_anew(self, hosts: tuple[str, ...] = ()) -> None:
        """Something else is about to run (there): the next proof is the first one again."""
        for host in hosts or tuple(self._identity):
            self._identity.pop(host, None)

    def _preflight(self, step: Step) -> StepReport:
        args = _on(step, self._hosts(step)[0]).args
        results, reason, hint = self._looked(str(args.get("backup", "")), down=bool(args.get("down")))
        self.preflight.extend(results)
        for result in results:
            self._tools.reporter.check(result)
        failed = [check for check in results if check.mark is Mark.FAILED]
        if failed:
            raise StepFault(objections(failed), hint=f"nothing was changed; {hint}", reason=reason)
        return StepReport()

    def _looked(self, backup: str, *, down: bool) -> tuple[tuple[CheckResult, ...], Reason, str]:
        """What stands against putting a backup back, against removing all, or against the candidate.

        Also the reason to stop for it, and what to do about it.
        """
        target = self._tools.target
        if backup and self._tools.backups is not None:
            rows = self._tools.backups.preflight(backup)
            return rows, Reason.RESTORE, "take another of `backup --list`"
        if down:
            return target.removable(), Reason.PREFLIGHT, "remove by hand what does not belong there"
        if self._candidate is None:
            raise StepFault("preflight has nothing to look at", reason=Reason.BUG)
        rows = (*target.preflight(self._candidate), *self._tools.listed(self._variables))
        return rows, Reason.PREFLIGHT, "set it right, or change what `preflight:` and `release:` demand"

    def _prove(self, step: Step) -> StepReport:
        """Digest by digest; the second proof of a plan also shows that nothing restarted in between.

        Without a release, that everything is gone.
        """
        fleet = self._tools.fleet
        prove = self._gone if step.release is None else self._proved
        if fleet is None:
            prove(step, self._tools.target, "")
        else:
            fleet.each(self._hosts(step), lambda host: prove(_on(step, host), fleet.at(host), host))
        return StepReport()

    def _hosts(self, step: Step) -> tuple[str, ...]:
        """The hosts of a step; one that was planned when there was one host is done there."""
        return step.hosts or (step.host or self._tools.settings.host,)

    def _gone(self, step: Step, target: Target, host: str) -> None:
        """Return when two looks in a row have found nothing; raise ``StepFault`` if anything stays."""
        clock = self._tools.clock
        deadline = clock.monotonic() + step.time_limit
        empty = 0
        while empty < _LOOKS:
            running = target.observe()
            empty = 0 if running else empty + 1
            if running and clock.monotonic() >= deadline:
                names = ", ".join(sorted({item.workload or item.instance[:12] for item in running}))
                where = f" on {host}" if host else ""
                raise StepFault(
                    f"still there{where} after {step.time_limit:.0f} s: {names}",
                    hint="does something else start them again? see `status`",
                )
            if empty < _LOOKS:
                clock.sleep(_POLL)

    def _proved(self, step: Step, target: Target, host: str) -> None:
        """Raise ``StepFault`` unless just what is wanted runs, and the same as when it was seen before."""
        assert step.release is not None
        judged = step.args.get("workloads") or self._tools.settings.managed
        managed = tuple(
            item
            for item in target.observe()
            if item.workload in self._tools.settings.managed and item.workload in judged
        )
        for item, image in strangers(step.release, self._tools.settings, managed):
            raise StepFault(
                f"{item.workload} does not run {image.pinned} but {_known_as(item)}",
                hint="the service was started from another image; see `status`",
            )
        self._complete(step, managed)
        identity = tuple(sorted(item.identity for item in managed))
        before = self._identity.setdefault(host, identity)
        if identity != before:
            names = _differing(managed, before)
            raise StepFault(
                f"restarted or replaced while the checks ran: {names}",
                hint="see the logs in the evidence: it crashes, or somebody else deploys",
            )

    def _complete(self, step: Step, managed: tuple[Running, ...]) -> None:
        counts = instances(managed)
        for workload, wanted in step.args.get("workloads", {}).items():
            if counts.get(workload, 0) < wanted:
                raise StepFault(f"{workload} has {counts.get(workload, 0)} instances, wanted {wanted}")
        one_shot = self._tools.settings.settings.compose.one_shot
        for item in managed:
            if not item.serving and (item.exit_code != 0 or item.workload not in one_shot):
                code = "" if item.exit_code is None else f" (exit code {item.exit_code})"
                raise StepFault(f"{item.workload} is {item.health}{code}", hint="see the logs; deploy again")

    def _check(self, step: Step) -> StepReport:
        fleet, look = self._tools.fleet, self._tools.check_on
        if fleet is None or look is None:
            self._passed(self._tools.check(tuple(step.args["groups"]), self._variables))
            return StepReport()
        hosts = self._hosts(step)
        groups = tuple(_on(step, hosts[0]).args["groups"])
        self._passed(look("", groups, self._variables))
        found: dict[str, tuple[CheckResult, ...]] = {}

        def look_from(host: str) -> None:
            found[host] = look(host, groups, self._variables)
            _demand_passed(found[host])

        try:
            fleet.each(hosts, look_from)
        finally:
            self.checks.extend(result for host in hosts for result in found.get(host, ()))
        return StepReport()

    def _passed(self, results: tuple[CheckResult, ...]) -> None:
        """Keep the results, and demand that all passed."""
        self.checks.extend(results)
        _demand_passed(results)

    def _hook(self, step: Step) -> StepReport:
        command = tuple(step.args["command"])
        what = f"hook {step.args['name']} {command[0]!r}"
        try:
            ran = self._tools.hook(command, self._variables, step.time_limit)
        except PortFault as fault:
            raise StepFault(f"{what}: {fault}", reason=Reason.HOOK) from fault
        if not ran.ok:
            raise StepFault(f"{what} exited {ran.code}: {ran.said}", reason=Reason.HOOK)
        return StepReport()


def _demand_passed(results: tuple[CheckResult, ...]) -> None:
    """Raise ``StepFault`` (CHECKS) unless all passed."""
    failed = [check for check in results if check.mark is not Mark.PASSED]
    if failed:
        raise StepFault(
            objections(failed),
            hint="see the checks' table and the logs in the evidence",
            reason=Reason.CHECKS,
        )


def _on(step: Step, host: str) -> Step:
    return step.on(host) if step.hosts else step


def _known_as(item: Running) -> str:
    return item.image_ids[0] if item.image_ids else "an unknown image"


def _differing(managed: tuple[Running, ...], before: _Identity) -> str:
    names = sorted({item.workload for item in managed if item.identity not in before})
    return ", ".join(names) or "some are gone"
