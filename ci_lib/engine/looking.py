"""The verbs that only look: without lock, changing nothing, recording nothing."""

from dataclasses import replace

from ci_lib.domain.errors import Refusal
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason
from ci_lib.engine.admit import check_request
from ci_lib.engine.drift import at_rest, compared, told
from ci_lib.engine.facts import variables
from ci_lib.engine.judge import described
from ci_lib.engine.naming import named_images
from ci_lib.engine.restoring import backups_of, named
from ci_lib.engine.run import Run
from ci_lib.engine.standing import standing
from ci_lib.engine.survey import read_chain, survey_deploy
from ci_lib.engine.tools import Request, Tools
from ci_lib.records.ledger import last_served


def preflight(request: Request, tools: Tools) -> Outcome:
    """Every check before a deploy."""

    def body(run: Run) -> Outcome:
        check_request(request, tools)
        images = named_images(request, tools) if request.version or request.images else {}
        ground = survey_deploy(request, tools, read_chain(tools), images)
        facts = variables(described(run.base, request, ground, ()), ground.release)
        rows = (*standing(tools), *tools.target.preflight(ground.candidate), *tools.listed(facts))
        for row in rows:
            tools.reporter.check(row)
        return run.judged(rows, ground)

    return Run(request=request, tools=tools).guarded(body)


def restore_test(request: Request, tools: Tools) -> Outcome:
    """Try a backup in scratch containers."""

    def body(run: Run) -> Outcome:
        saved = named(tools, request.backup, Reason.RESTORE_TEST)
        release = saved.release
        version, release_id = (release.version, release.id) if release else ("", "")
        run.outcome = replace(run.base, version=version, release_id=release_id)
        tools.reporter.note(f"trying backup {saved.name}")
        rows = backups_of(tools).tested(saved, limit=tools.settings.settings.limits.restore)
        for row in rows:
            tools.reporter.check(row)
        return replace(run.judged(rows, None, Reason.RESTORE_TEST), notes=(f"backup {saved.name}",))

    return Run(request=request, tools=tools).guarded(body)


def drift(request: Request, tools: Tools) -> Outcome:
    """Compare what runs with what the ledger says was deployed last."""

    def body(run: Run) -> Outcome:
        journal = at_rest(tools, wait=request.lock_wait)
        recorded = last_served(read_chain(tools), tools.settings.environment)
        if recorded is not None:
            run.outcome = replace(run.base, version=recorded.version, release_id=recorded.id)
        rows = compared(tools, recorded)
        if at_rest(tools, wait=0) != journal:
            raise Refusal("a run was at work meanwhile", hint="compare again", reason=Reason.LOCKED)
        for row in rows:
            tools.reporter.check(row)
        if recorded is None and not rows:
            return run.nothing_to_do("nothing is to run here, and nothing does")
        return told(run.judged(rows, None, Reason.DRIFT))

    return Run(request=request, tools=tools).guarded(body)
