"""A job's command: run until it succeeds or its tries are used up, and its fallback where it cannot run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ci_lib.config.gate import GateJob
from ci_lib.ports.protocols import Live, Watched
from ci_lib.readers.launchers import Listener

Told = Callable[[str], None]
"""Gets every line that a job's commands print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How the last try ended.

    ``cannot_run`` is the reason why it could not do its work, ``fell_back`` why the command before it could
    not; both are empty otherwise.
    """

    watched: Watched
    tries: int
    fell_back: str
    cannot_run: str


def tried(job: GateJob, live: Live, folder: str, env: Mapping[str, str], told: Told) -> Tried:
    """Run the job's command in the checkout ``folder``; ``env`` is what its services add to its environment.

    A fallback is for a command that cannot run, and no second chance for one that found something.
    """
    command, fell_back, tries = job.command, "", 0
    while True:
        tries += 1
        watched, reason = _once(job, command, live, folder, env, told)
        if reason and job.fallback and not fell_back:
            told(f"the command cannot run: {reason}; running the fallback")
            command, fell_back, tries = job.fallback, reason, 0
            continue
        if watched.code == 0 or tries >= job.tries:
            return Tried(watched=watched, tries=tries, fell_back=fell_back, cannot_run=reason)
        told(f"ended with {watched.code}; try {tries + 1} of {job.tries}")


def _once(
    job: GateJob, command: tuple[str, ...], live: Live, folder: str, env: Mapping[str, str], told: Told
) -> tuple[Watched, str]:
    listener = Listener(command, job.cannot_run)

    def heard(line: str) -> None:
        listener.hear(line)
        told(line)

    watched = live.run(
        command,
        timeout=job.time_limit,
        cwd=f"{folder}/{job.folder}",
        env={**job.env, **env},
        told=heard,
        capture=job.reads_output,
    )
    if watched.code != 0:  # it may not be a report then, but what the launcher said
        for line in watched.output.decode(errors="replace").splitlines():
            listener.hear(line)
    return watched, "" if watched.timed_out else listener.reason(watched.code)


def ended(job: GateJob, done: Tried) -> Iterator[str]:
    """What is wrong with how the command ended, if anything."""
    if done.watched.timed_out:
        yield f"did not end within {job.time_limit:g} s"
    elif done.cannot_run:
        yield f"cannot run ({done.cannot_run})" + (f": {job.install}" if job.install else "")
    elif done.watched.code != 0:
        yield f"ended with exit code {done.watched.code}"
