"""``deploy-actions plan``: what a deploy would do."""

from dataclasses import replace

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine.admit import check_request
from ci_lib.engine.naming import named_images
from ci_lib.engine.proposal import proposed
from ci_lib.engine.survey import read_chain, survey_deploy
from ci_lib.report.plan import plan, plan_page


def run(values: Values) -> Exit:
    """Print what would change, the steps and the plan's hash; nothing is changed, and no lock is taken.

    A job gets the hash as an output. Where that cannot be written the command fails: a deploy that is handed
    no hash is bound to no plan.
    """

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        verb = Verb.PROMOTE if settings.place.requires else Verb.DEPLOY
        request = request_of(verb, values)
        with built(session, settings) as made:
            check_request(request, made.tools)
            named = named_images(request, made.tools)
            chain = read_chain(made.tools)
            ground = survey_deploy(request, made.tools, chain, named)
            found = proposed(made.tools, chain, ground)
        # The hash is compared letter by letter, and says nothing of any secret.
        page = plan_page(replace(session.redact.deep(found), hash=found.hash))
        session.reporter.summary(page)
        session.reporter.outputs({"plan-hash": found.hash})
        return Found(data=found.as_json(), text=plan(found))

    return look(values, find)
