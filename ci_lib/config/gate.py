"""The shape of deploy.yml's ``gate:``: the jobs that ``lint-test`` runs, and how their results are read."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from ci_lib.config.base import Argv, EnvName, Model, Name, Prefix, Words
from ci_lib.config.presets import PRESETS, Preset
from ci_lib.config.units import Percent, TimeLimit
from ci_lib.domain.gate import Severity

FailOn = Literal["low", "medium", "high", "critical"]
"""The severities that a job can fail on, in the words of ``Severity``."""

STDOUT = "-"
"""In place of a report's path: the command's standard output."""
SCANS = ("sarif", "trufflehog", "trivy", "detect_secrets")
"""The keys of the reports that can be read from there."""


class GateJob(Model):
    """A command, and how its result is read: always its exit code, and the reports that are named here.

    A report that is named and missing, or cannot be read, fails the job.
    """

    name: Name
    """What results and summaries call it. A preset's job of this name is replaced."""
    command: Argv
    """Program and arguments; no shell reads them."""
    folder: str = "."
    """Where it runs, relative to deploy.yml; its reports are looked for from there."""
    time_limit: TimeLimit = 600.0
    """Time limit of one try."""
    tries: int = Field(default=1, ge=1, le=10)
    """How often it may run until it passes."""
    allow_failure: bool = False
    """A failure is a warning."""
    fallback: Argv | None = None
    """Runs instead where the command cannot run: program, module or script is missing, or `cannot_run`."""
    cannot_run: tuple[Words, ...] = ()
    """The command cannot run, either, where it fails and a line of its output contains one of these texts."""
    group: Name | None = None
    """Jobs of the same group run at the same time; they must stand next to each other."""
    env: dict[EnvName, str] = Field(default_factory=dict)
    """Environment that it gets in addition."""
    services: str | None = None
    """Compose file, relative to deploy.yml: it is up and healthy while the job runs, and then removed."""
    install: str = ""
    """What to do where the command cannot run; part of the message."""
    junit: tuple[str, ...] = ()
    """JUnit XML files. In every report's path `*` and `**` are understood."""
    allow_no_tests: bool = False
    """No executed test in `junit` is no failure."""
    coverage: str | None = None
    """Coverage report: Cobertura XML or the JSON of coverage.py."""
    coverage_min: Percent = 80.0
    """Share of the lines in `coverage` that must be covered."""
    sarif: str | None = None
    """SARIF report of a scanner or linter; `-` is the command's standard output."""
    trufflehog: str | None = None
    """TruffleHog's JSON lines; `-` is the command's standard output. Each secret is critical."""
    trivy: str | None = None
    """Trivy's JSON report; `-` is the command's standard output."""
    detect_secrets: str | None = None
    """JSON report of detect-secrets; `-` is the command's standard output. Each secret is critical."""
    fail_on: FailOn = "high"
    """Lowest severity of a finding that fails the job."""

    @property
    def fails_on(self) -> Severity:
        """``fail_on``, to be compared with findings."""
        return Severity[self.fail_on.upper()]

    @property
    def reads_output(self) -> bool:
        """Whether a report is the command's standard output."""
        return any(getattr(self, scan) == STDOUT for scan in SCANS)


class PlacedPreset(Model):
    """A preset whose jobs run in a folder, or have names of their own beside those of another preset."""

    use: Preset
    """The preset."""
    folder: str = "."
    """Where its jobs run, relative to deploy.yml."""
    prefix: Prefix | None = None
    """Stands before the names of its jobs and their group: `web` makes `web-lint` of `lint`."""


def _form(value: object) -> str:
    return "mapping" if isinstance(value, dict | PlacedPreset) else "name"


PresetEntry = Annotated[
    Annotated[Preset, Tag("name")] | Annotated[PlacedPreset, Tag("mapping")], Discriminator(_form)
]
"""A preset by its name alone, or as a mapping."""


class Gate(Model):
    """What `lint-test` runs: the jobs of the presets, then the project's others, each in its order."""

    presets: tuple[PresetEntry, ...] = ()
    """Ready-made: `format` (Python), `lint`, `types`, all in group `static`; `test`, `integration` (Node)."""
    jobs: tuple[GateJob, ...] = ()
    """The project's own. A job with the name of a preset's job takes its place."""


def placed(entry: PresetEntry) -> PlacedPreset:
    """The entry as a mapping, which is what its name alone stands for."""
    return entry if isinstance(entry, PlacedPreset) else PlacedPreset(use=entry)


def preset_jobs(entry: PresetEntry) -> tuple[GateJob, ...]:
    """The jobs of one preset, where it was put and under the names that it has there."""
    preset = placed(entry)
    jobs = (GateJob.model_validate({**job, "folder": preset.folder}) for job in PRESETS[preset.use])
    return tuple(_prefixed(job, preset.prefix) if preset.prefix else job for job in jobs)


def _prefixed(job: GateJob, prefix: str) -> GateJob:
    # Its group as well: jobs of one group stand next to each other, and other jobs stand between two presets.
    group = job.group and f"{prefix}-{job.group}"
    return job.model_copy(update={"name": f"{prefix}-{job.name}", "group": group})


def jobs_of(gate: Gate) -> tuple[GateJob, ...]:
    """All jobs, in the order in which they run: those of the presets, then the project's others.

    A job of the project takes the place of the preset's job of the same name.
    """
    own = {job.name: job for job in gate.jobs}
    ready = [job for preset in gate.presets for job in preset_jobs(preset)]
    replaced = {job.name for job in ready}
    return (
        *(own.get(job.name, job) for job in ready),
        *(job for job in gate.jobs if job.name not in replaced),
    )
