"""Commands in a container of their own: ``docker compose run``, removed whatever happens."""

import secrets
import shlex
from collections.abc import Mapping

from ci_lib.domain.target import OneOff
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.commands import Argv
from ci_lib.targets.compose.site import Site

_LABEL = "deploy-actions.once"

# $1 the container's name, $2 its label. A client that ends, at the time limit for one, leaves the container
# running. One that an earlier run has left is removed first: nobody waits for it any more. What a shell says
# of a killed program must not be taken for the end of the time limit.
_ONCE = """
name=$1 label=$2; shift 2
for left in $(docker ps -aq --filter "label=$label"); do docker rm -f "$left" >/dev/null || exit 1; done
trap 'docker rm -f "$name" >/dev/null 2>&1' EXIT
trap 'exit 143' HUP INT TERM
"$@" & wait $!; code=$?
case $code in 124|137) echo "the command was killed (exit code $code)" >&2; code=1;; esac
exit "$code"
"""


def once(site: Site, command: Argv, job: OneOff, own: Mapping[str, str]) -> Ran:
    """Run the job; ``command`` begins a ``docker compose`` command. Raises ``StepFault`` at its time limit.

    Dependencies are not started: what is there is used as it is. Standard output is the command's alone.
    ``own`` is the service's environment, whose PGOPTIONS (a search path, say) come first.
    """
    values = {key: f"{own[key]} {value}" if own.get(key) else value for key, value in job.env.items()}
    given = tuple(word for key, value in values.items() for word in ("-e", f"{key}={value}"))
    argv = alone(site, command, *given, job.workload, *job.command)
    return site.change(*argv, limit=job.time_limit, label=shlex.join(job.command))


def alone(site: Site, command: Argv, *words: str) -> Argv:
    """The command that does ``docker compose run`` with ``words``: options, service, and what it is to do."""
    name = f"{site.project}-once-{secrets.token_hex(4)}"
    label = f"{_LABEL}={site.project}"
    run = (*command, "run", "--rm", "--no-deps", "-T", "--name", name, "--label", label)
    return ("sh", "-c", _ONCE, "sh", name, label, *run, *words)
