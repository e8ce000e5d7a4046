"""``deploy-actions plan``: what a deploy would do."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine.admit import check_request
from ci_lib.engine.survey import named_images, read_chain, survey_deploy
from ci_lib.plan.deploy import deploy
from ci_lib.report.plan import plan


def run(values: Values) -> Exit:
    """Print the steps, and the images old and new; nothing is changed, and no lock is taken."""

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        verb = Verb.PROMOTE if settings.place.requires else Verb.DEPLOY
        request = request_of(verb, values)
        with built(session, settings) as made:
            check_request(request, made.tools)
            named = named_images(request, made.tools)
            ground = survey_deploy(request, made.tools, read_chain(made.tools), named)
        steps = deploy(ground)
        data = {
            "release": ground.release.as_json(),
            "previous": ground.previous.as_json() if ground.previous else None,
            "unchanged": ground.unchanged,
            "steps": [step.as_json() for step in steps],
        }
        return Found(data=data, text=plan(steps, ground.release, ground.previous))

    return look(values, find)
