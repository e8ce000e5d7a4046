import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from ci_lib.config.gate import FailOn, Gate, GateJob, PlacedPreset, jobs_of, preset_jobs
from ci_lib.config.load import load
from ci_lib.config.presets import PRESETS, Preset
from ci_lib.domain.gate import Severity
from ci_lib.targets.trees import read_tree

Ask = Callable[[str], list[str]]

INSIDE = 'must be a path inside the project\'s folder, without ".."'
GATE = """\
gate:
  presets: [python-uv]
  jobs:
    - {name: unit, command: [unit]}
    - {name: scan, command: [scan]}
    - {name: end, command: [end]}
"""


def gate(text: str, good: str) -> Gate:
    """The gate of a deploy.yml with ``text`` at its end."""
    found = load(good + text, name="deploy.yml").config.gate
    assert found
    return found


def job(name: str, **settings: object) -> GateJob:
    return GateJob.model_validate({"name": name, "command": (name,), **settings})


def names(jobs: tuple[GateJob, ...]) -> list[str]:
    return [one.name for one in jobs]


# Shapes and rules. Lines are counted from the first line of the gate.


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (
            "[python-uv]",
            "[python-uvv]",
            [
                (
                    '2: gate.presets[0]: "python-uvv" is not one of python-uv, python-pip, node-pnpm,'
                    ' node-npm, did you mean "python-uv"?'
                )
            ],
        ),
        ("[python-uv]", "[5]", [f"2: gate.presets[0]: 5 is not one of {', '.join(PRESETS)}"]),
        (
            "[python-uv]",
            "[{use: node-npmm}]",
            [
                (
                    '2: gate.presets[0].use: "node-npmm" is not one of python-uv, python-pip, node-pnpm,'
                    ' node-npm, did you mean "node-npm"?'
                )
            ],
        ),
        ("[python-uv]", "[{folder: web}]", ["2: gate.presets[0].use: is missing"]),
        (
            "[python-uv]",
            "[{use: python-uv, foldr: web}]",
            ['2: gate.presets[0].foldr: unknown key, did you mean "folder"?'],
        ),
        (
            "[python-uv]",
            "[{use: python-uv, folder: ../web}]",
            [f'2: gate.presets[0].folder: "../web" {INSIDE}'],
        ),
        (
            "[python-uv]",
            "[{use: python-uv, prefix: Web}]",
            [
                (
                    '2: gate.presets[0].prefix: "Web" does not fit: use lower-case letters, digits, "-" and'
                    ' "_", 32 at most, and begin with a letter or digit'
                )
            ],
        ),
        (
            "[python-uv]",
            "[{use: python-uv, prefix: web}, {use: python-uv, prefix: web}]",
            ['2: gate.presets[1]: "python-uv" is listed already'],
        ),
        (
            "[python-uv]",
            "[python-uv, {use: python-uv, folder: web}]",
            [
                (
                    '2: gate.presets[1]: "python-uv" and "python-uv" both have the jobs format, lint, types,'
                    " test: give one of them a prefix, as in {use: python-uv, prefix: web}"
                )
            ],
        ),
        ("[python-uv]", "[python-uv, python-uv]", ['2: gate.presets[1]: "python-uv" is listed already']),
        (
            "[python-uv]",
            "[python-uv, node-npm]",
            [
                (
                    '2: gate.presets[1]: "python-uv" and "node-npm" both have the jobs lint, types, test:'
                    " give one of them a prefix, as in {use: node-npm, prefix: web}"
                )
            ],
        ),
        (
            GATE,
            "gate: {}\n",
            ["1: gate: has no jobs: name a preset, or write a job under jobs"],
        ),
        ("name: scan", "name: unit", ['5: gate.jobs[1].name: another job is called "unit" already']),
        (
            "command: [unit]",
            "comand: [unit]",
            ['4: gate.jobs[0].comand: unknown key, did you mean "command"?'],
        ),
        ("[scan]}", "[]}", ["5: gate.jobs[1].command: must not be empty"]),
        ("[scan]}", "[scan], fallback: []}", ["5: gate.jobs[1].fallback: must not be empty"]),
        ("[scan]}", "[scan], cannot_run: ['']}", ["5: gate.jobs[1].cannot_run[0]: must not be empty"]),
        (
            "[scan]}",
            '[scan], install: x, cannot_run: [a, "b\\nc"]}',
            ["5: gate.jobs[1].cannot_run[1]: must be one line: output is read line by line"],
        ),
        (
            "[scan]}",
            "[scan], cannot_run: [no space left]}",
            ["5: gate.jobs[1].cannot_run: has no effect without fallback or install"],
        ),
        ("[scan]}", "[scan], tries: 0}", ["5: gate.jobs[1].tries: must be at least 1, not 0"]),
        (
            "[scan]}",
            "[scan], sarif: a, fail_on: hihg}",
            [
                (
                    '5: gate.jobs[1].fail_on: "hihg" is not one of low, medium, high, critical,'
                    ' did you mean "high"?'
                )
            ],
        ),
        ("[scan]}", "[scan], folder: ../web}", [f'5: gate.jobs[1].folder: "../web" {INSIDE}']),
        ("[scan]}", "[scan], folder: ''}", ["5: gate.jobs[1].folder: must be one line, and not empty"]),
        ("[scan]}", "[scan], services: /srv/c.yml}", [f'5: gate.jobs[1].services: "/srv/c.yml" {INSIDE}']),
        ("[scan]}", "[scan], junit: [a.xml, b/../c]}", [f'5: gate.jobs[1].junit[1]: "b/../c" {INSIDE}']),
        ("[scan]}", "[scan], coverage: ../c.xml}", [f'5: gate.jobs[1].coverage: "../c.xml" {INSIDE}']),
        ("[scan]}", "[scan], sarif: /a}", [f'5: gate.jobs[1].sarif: "/a" {INSIDE}']),
        ("[scan]}", "[scan], trufflehog: /a}", [f'5: gate.jobs[1].trufflehog: "/a" {INSIDE}']),
        ("[scan]}", "[scan], trivy: /a}", [f'5: gate.jobs[1].trivy: "/a" {INSIDE}']),
        ("[scan]}", "[scan], detect_secrets: /a}", [f'5: gate.jobs[1].detect_secrets: "/a" {INSIDE}']),
        (
            "[scan]}",
            "[scan], junit: [./]}",
            ['5: gate.jobs[1].junit[0]: "./" is a folder: write the path of a file'],
        ),
        (
            "[scan]}",
            "[scan], junit: ['a/**.xml']}",
            ['5: gate.jobs[1].junit[0]: "a/**.xml": "**" stands for folders, and must stand between slashes'],
        ),
        (
            "[scan]}",
            "[scan], coverage: '-'}",
            [
                (
                    '5: gate.jobs[1].coverage: "-", the standard output, can only be read as sarif or'
                    " trufflehog or trivy or detect_secrets"
                )
            ],
        ),
        (
            "[scan]}",
            "[scan], trufflehog: '-', trivy: '-', detect_secrets: '-'}",
            [
                "5: gate.jobs[1].detect_secrets: the standard output is read as trufflehog already",
                "5: gate.jobs[1].trivy: the standard output is read as trufflehog already",
            ],
        ),
        (
            "[scan]}",
            "[scan], coverage_min: 90%}",
            ["5: gate.jobs[1].coverage_min: has no effect without coverage"],
        ),
        (
            "[scan]}",
            "[scan], allow_no_tests: true}",
            ["5: gate.jobs[1].allow_no_tests: has no effect without junit"],
        ),
        (
            "[scan]}",
            "[scan], junit: [a], fail_on: low}",
            [
                (
                    "5: gate.jobs[1].fail_on: has no effect without sarif or trufflehog or trivy or"
                    " detect_secrets"
                )
            ],
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(
    good: str, mistakes: Ask, old: str, new: str, messages: list[str]
) -> None:
    assert mistakes(good + GATE) == []
    assert old in GATE
    above = len(good.splitlines())
    assert mistakes(good + GATE.replace(old, new, 1)) == [
        f"deploy.yml:{above + int(line)}:{rest}" for line, _, rest in (m.partition(":") for m in messages)
    ]


def test_a_group_with_a_job_between_its_jobs_is_refused(good: str, mistakes: Ask) -> None:
    text = GATE.replace("[unit]", "[unit], group: fast").replace("[end]", "[end], group: fast")
    assert [line.partition(": ")[2] for line in mistakes(good + text)] == [
        (
            'gate.jobs[2].group: the jobs of group "fast" must stand next to each other, and scan stands'
            " between unit and end"
        )
    ]
    assert mistakes(good + text.replace("[scan]", "[scan], group: fast")) == []


def test_a_job_that_tears_the_group_of_a_preset_is_named(good: str, mistakes: Ask) -> None:
    text = GATE.replace("name: scan", "name: lint")
    assert [line.partition(": ")[2] for line in mistakes(good + text)] == [
        (
            'gate.jobs[1]: the jobs of group "static" must stand next to each other, and lint stands between'
            " format and types"
        )
    ]
    assert mistakes(good + text.replace("[scan]", "[scan], group: static")) == []


def test_a_job_cannot_join_the_group_of_a_preset_from_afar(good: str, mistakes: Ask) -> None:
    text = GATE.replace("[unit]", "[unit], group: static")
    assert [line.partition(": ")[2] for line in mistakes(good + text)] == [
        (
            'gate.jobs[0].group: the jobs of group "static" must stand next to each other, and test stands'
            " between types and unit"
        )
    ]


def test_all_mistakes_of_a_gate_are_told_at_once(good: str, mistakes: Ask) -> None:
    text = GATE.replace("[python-uv]", "[python-uv, node-npm]").replace("name: end", "name: unit")
    text = text.replace("[unit]", "[unit], folder: /").replace("[scan]", "[scan], coverage_min: 1%")
    assert [line.partition(": ")[2].partition(":")[0] for line in mistakes(good + text)] == [
        "gate.presets[1]",
        "gate.jobs[0].folder",
        "gate.jobs[1].coverage_min",
        "gate.jobs[2].name",
    ]


def test_a_scanner_may_print_one_report_and_write_another(good: str, mistakes: Ask) -> None:
    assert mistakes(good + GATE.replace("[scan]", "[scan], trivy: '-', sarif: trivy.sarif")) == []


# What is read


def test_a_file_without_a_gate_has_none(good: str) -> None:
    assert load(good, name="deploy.yml").config.gate is None


def test_a_job_needs_no_more_than_a_name_and_a_command(good: str) -> None:
    (found,) = gate("gate: {jobs: [{name: unit, command: [make, unit]}]}\n", good).jobs
    assert found.model_dump(mode="json") == {
        "name": "unit",
        "command": ["make", "unit"],
        "folder": ".",
        "time_limit": "10m",
        "tries": 1,
        "allow_failure": False,
        "fallback": None,
        "cannot_run": [],
        "group": None,
        "env": {},
        "services": None,
        "install": "",
        "junit": [],
        "allow_no_tests": False,
        "coverage": None,
        "coverage_min": "80%",
        "sarif": None,
        "trufflehog": None,
        "trivy": None,
        "detect_secrets": None,
        "fail_on": "high",
    }
    assert found.fails_on is Severity.HIGH
    assert not found.reads_output


def test_a_job_is_read_as_it_is_written(good: str) -> None:
    written = {
        "name": "unit",
        "command": ["pnpm", "run", "typecheck"],
        "folder": "web",
        "time_limit": "5m",
        "tries": 3,
        "allow_failure": True,
        "fallback": ["npm", "run", "typecheck:fast"],
        "cannot_run": ["Unable to set up TLS"],
        "group": "fast",
        "env": {"CI": "1"},
        "services": "tests/compose.yml",
        "install": "npm ci",
        "junit": ["reports/**/*.xml"],
        "allow_no_tests": True,
        "coverage": "coverage.json",
        "coverage_min": "92.5%",
        "sarif": "-",
        "fail_on": "low",
    }
    (found,) = gate(f"gate: {{jobs: [{json.dumps(written)}]}}\n", good).jobs
    assert found.model_dump(mode="json", exclude_unset=True) == written
    assert (found.time_limit, found.coverage_min) == (300.0, 92.5)


@pytest.mark.parametrize("level", get_args(FailOn))
def test_a_job_can_fail_on_each_severity_but_the_unknown(level: FailOn) -> None:
    assert job("scan", fail_on=level).fails_on.word == level
    assert len(get_args(FailOn)) == len(Severity) - 1


@pytest.mark.parametrize("scan", ["sarif", "trufflehog", "trivy", "detect_secrets"])
def test_the_output_is_read_where_a_scanner_prints_its_report(scan: str) -> None:
    assert job("scan", **{scan: "-"}).reads_output
    assert not job("scan", **{scan: "report.json"}).reads_output


# Presets


def test_the_jobs_of_a_preset_come_first_and_then_the_projects() -> None:
    made = Gate(presets=("python-uv",), jobs=(job("unit"), job("scan")))
    assert names(jobs_of(made)) == ["format", "lint", "types", "test", "unit", "scan"]


def test_a_job_of_the_same_name_takes_the_place_of_a_presets() -> None:
    mine = job("lint", group="static")
    made = Gate(presets=("node-pnpm",), jobs=(job("unit"), mine))
    assert names(jobs_of(made)) == ["lint", "types", "test", "integration", "unit"]
    assert jobs_of(made)[0] is mine


def test_two_presets_stand_beside_each_other_in_their_folders_and_under_their_names(
    good: str, mistakes: Ask
) -> None:
    text = "gate: {presets: [python-uv, {use: node-pnpm, folder: frontend, prefix: web}]}\n"
    assert mistakes(good + text) == []
    found = jobs_of(gate(text, good))
    assert [(one.name, one.group, one.folder) for one in found] == [
        ("format", "static", "."),
        ("lint", "static", "."),
        ("types", "static", "."),
        ("test", None, "."),
        ("web-lint", "web-static", "frontend"),
        ("web-types", "web-static", "frontend"),
        ("web-test", None, "frontend"),
        ("web-integration", None, "frontend"),
    ]


def test_a_job_of_the_project_takes_the_place_of_a_prefixed_one(good: str) -> None:
    text = "presets: [{use: node-npm, prefix: web}], jobs: [{name: web-test, command: [make]}]"
    found = jobs_of(gate(f"gate: {{{text}}}\n", good))
    assert names(found) == ["web-lint", "web-types", "web-test", "web-integration"]
    assert found[2].command == ("make",)


def test_a_prefixed_name_is_never_too_long_for_a_name() -> None:
    longest = PlacedPreset(use="node-npm", prefix="a" * 32)
    for one in preset_jobs(longest):
        GateJob.model_validate(one.model_dump(mode="json", exclude_unset=True))


def test_without_a_preset_the_jobs_are_the_projects() -> None:
    made = Gate(jobs=(job("b"), job("a")))
    assert jobs_of(made) == made.jobs


def test_the_presets_run_what_their_tools_documentation_says() -> None:
    commands = {preset: [" ".join(one.command) for one in preset_jobs(preset)] for preset in PRESETS}
    reports = (
        "--junit-xml=.deploy-actions/reports/test.xml --cov"
        " --cov-report=xml:.deploy-actions/reports/coverage.xml"
    )
    assert commands == {
        "python-uv": [
            "uv run --locked ruff format --check .",
            "uv run --locked ruff check .",
            "uv run --locked mypy .",
            f"uv run --locked pytest {reports}",
        ],
        "python-pip": [
            "python -m ruff format --check .",
            "python -m ruff check .",
            "python -m mypy .",
            f"python -m pytest {reports}",
        ],
        "node-pnpm": ["pnpm run lint", "pnpm run typecheck", "pnpm run test", "pnpm run test:integration"],
        "node-npm": ["npm run lint", "npm run typecheck", "npm run test", "npm run test:integration"],
    }


def test_there_is_a_preset_for_each_name() -> None:
    assert tuple(PRESETS) == get_args(Preset)


@pytest.mark.parametrize("preset", get_args(Preset))
def test_every_preset_is_a_good_gate_and_says_how_to_install_its_programs(
    preset: Preset, good: str, mistakes: Ask
) -> None:
    assert mistakes(f"{good}gate: {{presets: [{preset}]}}\n") == []
    assert mistakes(f"{good}gate: {{jobs: {json.dumps(PRESETS[preset])}}}\n") == []
    assert [one.name for one in preset_jobs(preset) if "then run: " not in one.install] == []


@pytest.mark.parametrize("preset", get_args(Preset))
def test_what_only_reads_the_sources_runs_at_the_same_time(preset: Preset) -> None:
    groups = {one.name: one.group for one in preset_jobs(preset)}
    assert groups.pop("lint") == groups.pop("types") == groups.pop("format", "static") == "static"
    assert set(groups.values()) == {None}


@pytest.mark.parametrize("preset", ["python-uv", "python-pip"])
def test_tests_of_python_are_counted_and_covered(preset: Preset) -> None:
    test = preset_jobs(preset)[-1]
    assert f"--junit-xml={test.junit[0]}" in test.command
    assert f"--cov-report=xml:{test.coverage}" in test.command
    assert test.coverage_min == 80.0


def test_a_report_of_a_preset_never_becomes_part_of_a_release(tmp_path: Path) -> None:
    for one in (one for preset in PRESETS for one in preset_jobs(preset)):
        for report in filter(None, [*one.junit, one.coverage]):
            (tmp_path / report).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / report).write_text("report")
    assert read_tree(tmp_path) == {}
