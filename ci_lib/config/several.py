"""What an environment of several hosts does not do yet.

Every host gets the whole stack, so a database among its services would be there once a host, each with data
of its own: which of them to save, provision or restore cannot be answered for a team.
"""

from ci_lib.config.checks import IsolationCheck, RestoreTestCheck
from ci_lib.config.models import Environment, Stack, StackSettings

_ELSEWHERE = "keep databases in a stack of their own, in an environment of one host"


def not_on_several(stack: Stack, settings: StackSettings, environment: str, place: Environment) -> str:
    """Why the stack cannot go to an environment of several hosts; empty when it can."""
    where = f"{environment} has {len(place.hosts)} hosts"
    if stack.target == "process":
        return f'the target "process" works on one local host, and {where}'
    if settings.backup.databases:
        return f"{where}, and `backup.databases` works on one: {_ELSEWHERE}"
    if settings.backup.enabled:
        return f"{where}, and `backup.enabled` works on one: {_ELSEWHERE}, and set it to false here"
    if settings.provision:
        return f"{where}, and `provision` works on one: {_ELSEWHERE}"
    if any(setting.from_ == "host" for setting in settings.release.settings):
        return f"{where}, and a setting of `release` that is read from the host works on one"
    for check in (*settings.checks, *settings.verify):
        if isinstance(check, RestoreTestCheck | IsolationCheck):
            return f"{where}, and a check of type `{check.type}` works on one: {_ELSEWHERE}"
    if settings.migration and place.tier == "production" and settings.backup.enabled is None:
        saved = "a migration in production is preceded by a backup, which works on one host"
        return f"{where}, and {saved}: save the database where it is, and set `backup.enabled: false` here"
    return ""
