"""Writing the evidence folder: a new one, private to the user."""

from collections.abc import Mapping
from typing import Final

from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import Outcome
from ci_lib.evidence.bundle import safe_name
from ci_lib.ports.protocols import Host

_TIME_LIMIT: Final = 10.0


def folder_name(outcome: Outcome, *, attempt: str, unique: str) -> str:
    """``evidence-<verb>-<stack>-<environment>-<attempt>-<unique>``, also the artifact's name.

    ``attempt`` is the CI's count of tries (1 where there is none), ``unique`` eight random digits: a job
    may run the same verb twice.
    """
    parts = (outcome.verb, outcome.stack or "none", outcome.environment or "none", attempt or "1", unique)
    return "-".join(["evidence", *(safe_name(part) for part in parts)])


def write(host: Host, folder: str, files: Mapping[str, bytes]) -> str:
    """Write ``files`` below ``folder`` (mode 0600 in 0700) and return it.

    Raises ``StepFault`` when the folder exists: what somebody else put there must not pass for evidence.
    """
    parent = folder.rpartition("/")[0] or "/"
    for argv in (["mkdir", "-p", "--", parent], ["mkdir", "-m", "0700", "--", folder]):
        made = host.run(argv, timeout=_TIME_LIMIT)
        if not made.ok:
            raise StepFault(
                f"the evidence folder {folder} could not be made: {made.said}",
                hint="it must not exist before; check the path and its permissions",
            )
    for path, data in files.items():
        host.write(f"{folder}/{path}", data, mode=0o600)
    return folder
