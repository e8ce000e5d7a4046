"""The release's facts as hooks, scripts and checks of the team see them: variables named DEPLOY_*."""

import json

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Outcome


def variables(outcome: Outcome, release: Release) -> dict[str, str]:
    """The environment variables of one run about a release; ``DEPLOY_IMAGES`` is JSON."""
    return {
        "DEPLOY_VERB": str(outcome.verb),
        "DEPLOY_STACK": outcome.stack,
        "DEPLOY_ENVIRONMENT": outcome.environment,
        "DEPLOY_OWNER": outcome.owner,
        "DEPLOY_VERSION": release.version,
        "DEPLOY_RELEASE_ID": release.id,
        "DEPLOY_PREVIOUS_VERSION": outcome.previous_version,
        "DEPLOY_IMAGES": json.dumps({image.name: image.reference for image in release.images}),
        "DEPLOY_ACTOR": outcome.actor,
        "DEPLOY_RUN_URL": outcome.run_url,
    }
