"""deploy.yml's demands and the policy's, laid over each other: the stricter one counts."""

from dataclasses import replace

from ci_lib.config.models import Requires
from ci_lib.config.policy import Policy
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason


def tightened(settings: Resolved, policy: Policy) -> Resolved:
    """The settings with what the policy demands of their environment at least.

    Raises ``Refusal`` (POLICY) when deploy.yml wants another environment's verification than the policy.
    """
    place = policy.environments.get(settings.environment)
    demanded = place.requires if place else None
    asking = {
        name
        for name, other in policy.environments.items()
        if other.requires and other.requires.environment == settings.environment
    }
    required_by = (*settings.required_by, *sorted(asking - set(settings.required_by)))
    if demanded is None:
        return replace(settings, required_by=required_by)
    requires = _stricter(settings.place.requires, demanded, settings.environment)
    return replace(
        settings,
        required_by=required_by,
        place=settings.place.model_copy(update={"requires": requires}),
    )


def _stricter(ours: Requires | None, demanded: Requires, environment: str) -> Requires:
    if ours is None:
        return demanded
    if ours.environment != demanded.environment:
        wanted = f"{environment} to require {demanded.environment}"
        raise Refusal(
            f"the policy wants {wanted}, and deploy.yml says {ours.environment}",
            hint="deploy.yml may ask for more than the policy, not for something else: change one of them",
            reason=Reason.POLICY,
        )
    written = demanded.model_fields_set
    return ours.model_copy(
        update={
            "match": "set" if "set" in (ours.match, demanded.match) else "image",
            "max_age": min(ours.max_age, demanded.max_age) if "max_age" in written else ours.max_age,
            "soak": max(ours.soak, demanded.soak),
            "sign_off": ours.sign_off or demanded.sign_off,
        }
    )
