"""Rules within the gate: its presets, and its jobs by themselves and beside each other."""

from collections.abc import Iterator
from itertools import pairwise
from posixpath import normpath

from ci_lib.config.gate import SCANS, STDOUT, Gate, GateJob, jobs_of, placed, preset_jobs
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.text import listed, quoted

_NEEDS = {
    "coverage_min": ("coverage",),
    "allow_no_tests": ("junit",),
    "fail_on": SCANS,
    "cannot_run": ("fallback", "install"),
}
"""Keys that only matter beside others → those, of which one must be there."""


def broken_gate(gate: Gate, path: Path) -> Iterator[Mistake]:
    """Every rule that the gate breaks."""
    if not gate.presets and not gate.jobs:
        yield Mistake(path=path, text="has no jobs: name a preset, or write a job under jobs")
    contradictions = list(_presets(gate, (*path, "presets")))
    yield from contradictions
    yield from _names(gate, (*path, "jobs"))
    if not contradictions:
        yield from _groups(gate, (*path, "jobs"))
    for at, job in enumerate(gate.jobs):
        yield from _job(job, (*path, "jobs", at))


def _presets(gate: Gate, path: Path) -> Iterator[Mistake]:
    """Two presets with a job of the same name: which one was meant, nobody could tell."""
    for at, entry in enumerate(gate.presets):
        preset = placed(entry)
        if wrong := _path("folder", preset.folder):
            yield Mistake(path=(*path, at, "folder"), text=wrong)
        for before in map(placed, gate.presets[:at]):
            taken = {job.name for job in preset_jobs(before)}
            shared = [job.name for job in preset_jobs(preset) if job.name in taken]
            if preset == before:
                yield Mistake(path=(*path, at), text=f"{quoted(preset.use)} is listed already")
            elif shared:
                text = f"{quoted(before.use)} and {quoted(preset.use)} both have the jobs {listed(shared)}: "
                text += f"give one of them a prefix, as in {{use: {preset.use}, prefix: web}}"
                yield Mistake(path=(*path, at), text=text)


def _names(gate: Gate, path: Path) -> Iterator[Mistake]:
    seen: set[str] = set()
    for at, job in enumerate(gate.jobs):
        if job.name in seen:
            yield Mistake(path=(*path, at, "name"), text=f"another job is called {quoted(job.name)} already")
        seen.add(job.name)


def _groups(gate: Gate, path: Path) -> Iterator[Mistake]:
    """Groups with a job of another group, or of none, between their jobs."""
    own = {job.name: at for at, job in enumerate(gate.jobs)}
    last: dict[str | None, str] = {}
    for before, job in pairwise(jobs_of(gate)):
        last[before.group] = before.name
        if job.group in (None, before.group) or job.group not in last:
            continue
        text = f"the jobs of group {quoted(job.group)} must stand next to each other, and "
        text += f"{before.name} stands between {last[job.group]} and {job.name}"
        # Within a preset a group stands together: where it does not, the job before is the project's.
        where = (own[job.name], "group") if job.name in own else (own[before.name],)
        yield Mistake(path=(*path, *where), text=text)


def _job(job: GateJob, path: Path) -> Iterator[Mistake]:
    """Every rule that a job breaks by itself."""
    for under, text in _paths(job):
        if wrong := _path(under[0], text):
            yield Mistake(path=(*path, *under), text=wrong)
    for at, sign in enumerate(job.cannot_run):
        if "\n" in sign:
            text = "must be one line: output is read line by line"
            yield Mistake(path=(*path, "cannot_run", at), text=text)
    from_output = [key for key in SCANS if getattr(job, key) == STDOUT]
    for key in from_output[1:]:
        text = f"the standard output is read as {from_output[0]} already"
        yield Mistake(path=(*path, key), text=text)
    for key, reports in _NEEDS.items():
        if key in job.model_fields_set and not any(getattr(job, report) for report in reports):
            yield Mistake(path=(*path, key), text=f"has no effect without {' or '.join(reports)}")


def _paths(job: GateJob) -> Iterator[tuple[tuple[str, *tuple[int, ...]], str]]:
    """The paths of a job, and where they stand in it."""
    for key in ("folder", "services", "coverage", *SCANS):
        if (text := getattr(job, key)) is not None:
            yield (key,), text
    for at, text in enumerate(job.junit):
        yield ("junit", at), text


def _path(key: str, text: str) -> str:
    """What is wrong with a path, if anything is."""
    parts = text.split("/")
    if not text or "\n" in text:
        return "must be one line, and not empty"
    if text == STDOUT:
        return "" if key in SCANS else f'"-", the standard output, can only be read as {" or ".join(SCANS)}'
    if text.startswith("/") or ".." in parts:
        return f'{quoted(text)} must be a path inside the project\'s folder, without ".."'
    if key != "folder" and normpath(text) == ".":
        return f"{quoted(text)} is a folder: write the path of a file"
    if any("**" in part and part != "**" for part in parts):
        return f'{quoted(text)}: "**" stands for folders, and must stand between slashes'
    return ""
