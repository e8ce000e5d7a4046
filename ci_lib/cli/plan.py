"""``deploy-actions plan``: what a deploy would do."""

from dataclasses import replace

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.told import commented
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import DeployError
from ci_lib.domain.faults import as_fault
from ci_lib.domain.proposal import Proposal
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine.admit import check_request
from ci_lib.engine.naming import named_images
from ci_lib.engine.proposal import proposed
from ci_lib.engine.survey import read_chain, survey_deploy
from ci_lib.ports.protocols import PortFault
from ci_lib.report.plan import no_plan_page, plan, plan_page


def run(values: Values) -> Exit:
    """Print what would change, the steps and the plan's hash; nothing is changed, and no lock is taken.

    A job gets the hash as an output. Where that cannot be written the command fails: a deploy that is handed
    no hash is bound to no plan.
    """

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        try:
            found = _proposed(values, session, settings)
        except (DeployError, PortFault) as error:
            _comment(values, session, settings, _no_plan(session, settings, error))
            raise
        # The hash is compared letter by letter, and says nothing of any secret.
        page = plan_page(replace(session.redact.deep(found), hash=found.hash))
        session.reporter.summary(page)
        session.reporter.outputs({"plan-hash": found.hash})
        _comment(values, session, settings, page)
        return Found(data=found.as_json(), text=plan(found))

    return look(values, find)


def _proposed(values: Values, session: Session, settings: Resolved) -> Proposal:
    verb = Verb.PROMOTE if settings.place.requires else Verb.DEPLOY
    request = request_of(verb, values)
    with built(session, settings) as made:
        check_request(request, made.tools)
        named = named_images(request, made.tools)
        chain = read_chain(made.tools)
        ground = survey_deploy(request, made.tools, chain, named)
        return proposed(made.tools, chain, ground)


def _no_plan(session: Session, settings: Resolved, error: DeployError | PortFault) -> str:
    met = as_fault(error) if isinstance(error, PortFault) else error
    place = f"{settings.stack} {settings.environment}"
    return no_plan_page(place, session.redact(met.message), session.redact(met.hint))


def _comment(values: Values, session: Session, settings: Resolved, page: str) -> None:
    """Where it is wanted. Without a plan too: the comment would go on to show that of an older commit."""
    if values["comment"]:
        commented(session, settings, page)
