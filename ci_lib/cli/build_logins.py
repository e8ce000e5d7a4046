"""Which registries a build logs in to, and as whom."""

from collections.abc import Iterable

from ci_lib.cli.console import Session
from ci_lib.cli.options import PASSWORD
from ci_lib.config.models import Stack
from ci_lib.domain.errors import UsageFault
from ci_lib.images.address import address_of
from ci_lib.images.credentials import Credential


def logins(
    session: Session, stack: Stack, repositories: Iterable[str], username: str
) -> dict[str, Credential]:
    """Registry host → login: those of deploy.yml's ``registries:``, and ``--username`` with its password.

    A registry that is only pulled from (base images) is left out where its variables are not set. Raises
    ``UsageFault`` when the options are not clear, ``ConfigFault`` when a variable is not set.
    """
    pushed = {address_of(repository).host for repository in repositories}
    found: dict[str, Credential] = {}
    explicit = _explicit(session, username, pushed)
    for registry, named in stack.registries.items():
        both = all(session.env.get(name) for name in (named.username_env, named.password_env))
        if registry in explicit or (registry not in pushed and not both):
            continue
        user, password = session.value(named.username_env), session.secret(named.password_env)
        found[registry] = Credential(username=user, password=password)
    return found | explicit


def _explicit(session: Session, username: str, pushed: set[str]) -> dict[str, Credential]:
    password = session.env.get(PASSWORD.variable, "")
    if not username and not password:
        return {}
    if not username or not password:
        missing = "user name" if not username else "password"
        raise UsageFault(
            f"a login was given without its {missing}",
            hint=f"give --username, and the password in {PASSWORD.variable} (an action's input `password`); "
            "an empty one often is a secret that is not set",
        )
    session.mask([password])
    if len(pushed) > 1:
        raise UsageFault(
            f"one login was given, and the images go to several registries: {', '.join(sorted(pushed))}",
            hint="name a login for each under `registries:` in deploy.yml",
        )
    return dict.fromkeys(pushed, Credential(username=username, password=password))
