"""``deploy-actions verified check``: what the verified-image rule says about a release."""

from collections.abc import Sequence

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Exit, Reason, Verb
from ci_lib.engine.admit import check_request
from ci_lib.engine.naming import named_images
from ci_lib.engine.survey import read_chain, survey_deploy
from ci_lib.engine.tools import Tools
from ci_lib.report.history import conditions


def run(values: Values) -> Exit:
    """Ask the rule, and print every condition; nothing is changed, and no lock is taken."""

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        with built(session, settings) as made:
            try:
                rows = _rows(values, made.tools)
            except Refusal as refusal:
                said = f"refused: {refusal.message}\nnext: {refusal.hint}\n"
                return _found(refusal.reason, refusal.rows, said, refusal.exit)
        return _found(Reason.PASSED, rows, f"{settings.environment} would take it\n", Exit.OK)

    return look(values, find)


def _rows(values: Values, tools: Tools) -> tuple[CheckResult, ...]:
    request = request_of(Verb.PROMOTE, values)
    if tools.settings.place.requires is None:
        raise UsageFault(
            f"{tools.settings.environment} requires no verification, so it takes every release",
            hint="`requires:` in deploy.yml, or in the policy, says which environment has to verify first",
        )
    check_request(request, tools)
    named = named_images(request, tools)
    ground = survey_deploy(request, tools, read_chain(tools), named)
    return tuple(row for image in ground.verified for row in image.rows)


def _found(reason: Reason, rows: Sequence[CheckResult], said: str, code: Exit) -> Found:
    data = {"reason_code": str(reason), "rule": [row.as_json() for row in rows], "said": said.splitlines()}
    return Found(data=data, text=conditions(rows) + said, exit=code)
