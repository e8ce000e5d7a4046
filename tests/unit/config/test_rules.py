from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.config.rules import check_runner
from ci_lib.domain.errors import ConfigFault

Ask = Callable[[str], list[str]]

PROCESS = """\
version: 1
records: {path: records}
hosts:
  here: {local: true}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
stacks:
  shop:
    target: process
    images: {web: {repository: builds, services: [web, worker]}}
    process:
      services:
        web: {command: [serve]}
        worker: {command: [work]}
"""


def test_the_files_below_are_good(good: str, mistakes: Ask) -> None:
    assert mistakes(good) == []
    assert mistakes(PROCESS) == []


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("{local: true}", "{}", ['4: hosts.here: needs either "local: true" or "ssh"']),
        (
            "{local: true}",
            "{local: true, ssh: a@b, known_hosts: k}",
            ['4: hosts.here: has both "local: true" and "ssh": keep one'],
        ),
        (
            "{local: true}",
            "{ssh: a@b}",
            [
                (
                    '4: hosts.here: "ssh" needs "known_hosts", a file with the host\'s public keys'
                    " (see ssh-keyscan)"
                )
            ],
        ),
        (
            "owner: team, hosts: [here]",
            "owner: team, hosts: [hear]",
            ['6: environments.staging.hosts[0]: there is no host "hear", did you mean "here"?'],
        ),
        (
            "{path: records}",
            "{path: /srv, host: her}",
            ['2: records.host: there is no host "her", did you mean "here"?'],
        ),
        (
            "{path: records}",
            "{path: '/srv/{stack}'}",
            ["2: records.path: nothing is filled in here: all stacks share one place for records"],
        ),
        ("{path: records}", '{path: "a\\nb"}', ["2: records.path: must be one line"]),
        (
            "requires: {environment: staging}",
            "requires: {environment: stagin}",
            [
                (
                    '7: environments.production.requires.environment: there is no environment "stagin",'
                    ' did you mean "staging"?'
                )
            ],
        ),
        (
            "requires: {environment: staging}",
            "requires: {environment: qa}",
            [
                (
                    '7: environments.production.requires.environment: there is no environment "qa",'
                    " the environments are: staging, production"
                )
            ],
        ),
        (
            "requires: {environment: staging}",
            "requires: {environment: production}",
            ["7: environments.production.requires.environment: an environment cannot require itself"],
        ),
        (
            "owner: team,",
            "owner: team, requires: {environment: production},",
            [
                (
                    "6: environments.staging.requires.environment: environments require each"
                    " other in a circle:"
                    " staging -> production -> staging"
                )
            ],
        ),
        (
            "{environment: staging}",
            "{environment: staging, max_age: 1d, soak: 25h}",
            [
                (
                    "7: environments.production.requires.soak: is longer than max_age: no"
                    " verification could ever be"
                    " good enough"
                )
            ],
        ),
        (
            "services: [backend]}",
            "services: [backend]}\n      web: {repository: x/y, services: [nginx, backend]}",
            ['13: stacks.shop.images.web.services[1]: service "backend" runs image api already'],
        ),
        (
            "ghcr.io/acme/api",
            "'ghcr.io/acme/api:v1'",
            [
                (
                    '12: stacks.shop.images.api.repository: "ghcr.io/acme/api:v1" is not a repository: write'
                    " registry/path/name, without tag or digest"
                )
            ],
        ),
        (
            "{source: shop}",
            "{source: ../shop}",
            ['13: stacks.shop.compose.source: "../shop" must not leave deploy.yml\'s folder with ".."'],
        ),
        (
            "{source: shop}",
            "{files: [a.yml, ../b.yml, /c.yml]}",
            [
                '13: stacks.shop.compose.files[1]: "../b.yml" must be a path inside "source", without ".."',
                '13: stacks.shop.compose.files[2]: "/c.yml" must be a path inside "source", without ".."',
            ],
        ),
        (
            "{source: shop}",
            "{run_dir: 'srv/{stack}-{environment}'}",
            ['13: stacks.shop.compose.run_dir: "srv/x-x" must be an absolute path below "/", without ".."'],
        ),
        (
            "{source: shop}",
            "{run_dir: '/srv/{env}-{environment}'}",
            ['13: stacks.shop.compose.run_dir: "{env}" is not filled in: only {stack} and {environment} are'],
        ),
        (
            "{source: shop}",
            "{run_dir: '/srv/${stack}-{environment}'}",
            [
                (
                    '13: stacks.shop.compose.run_dir: "${stack}" is not filled in: only {stack} and'
                    " {environment} are"
                )
            ],
        ),
        (
            "{source: shop}",
            "{project: 'Shop-{environment}'}",
            [
                (
                    '13: stacks.shop.compose.project: use lower-case letters, digits, "-" and'
                    ' "_", and begin and end with a letter'
                    " or digit"
                )
            ],
        ),
        (
            "{source: shop}",
            "{run_dir: /srv/shop}",
            [
                (
                    '13: stacks.shop.compose.run_dir: "/srv/shop" is used by shop in staging and'
                    " by shop in production on"
                    " the same host: write {stack} and {environment} into it"
                )
            ],
        ),
        (
            "{source: shop}",
            "{source: ''}",
            ["13: stacks.shop.compose.source: must be one line, and not empty"],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    process: {}",
            ['14: stacks.shop.process: has no effect: the target is "compose"'],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    backup: {path: /}",
            ['14: stacks.shop.backup.path: "/" must be an absolute path below "/", without ".."'],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    environments:\n      stagin: {}",
            [
                (
                    '15: stacks.shop.environments.stagin: there is no environment "stagin", did you'
                    ' mean "staging"?'
                )
            ],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    history_name: a|b",
            [
                (
                    '14: stacks.shop.history_name: use letters, digits, ".", "-" and "_", 63 at'
                    " most, and begin with a letter"
                    " or digit"
                )
            ],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    checks: [{name: a, type: http, url: 'http://x', equals: x}]",
            ['14: stacks.shop.checks[0].equals: needs "json_field", the field to compare'],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    checks: [{name: a, type: postgres}]",
            ['14: stacks.shop.checks[0]: "from: container" needs "service"'],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    verify: [{name: a, type: tcp, port: 1, from: container}]",
            ['14: stacks.shop.verify[0]: "from: container" needs "service"'],
        ),
        (
            "{source: shop}",
            "{source: shop}\n    checks: [{name: a, type: health}]\n    verify: [{name: a, type: health}]",
            ['15: stacks.shop.verify[0].name: another check is called "a" already'],
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_line(
    good: str, mistakes: Ask, old: str, new: str, messages: list[str]
) -> None:
    assert old in good
    assert mistakes(good.replace(old, new, 1)) == [f"deploy.yml:{message}" for message in messages]


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (
            "        worker: {command: [work]}\n",
            "",
            ['12: stacks.shop.process.services: no process "worker", which image web lists under services'],
        ),
        (
            "        worker: {",
            "        workers: {",
            [
                '12: stacks.shop.process.services: no process "worker", which image web lists under services',
                (
                    '14: stacks.shop.process.services.workers: no image has a service "workers", did'
                    ' you mean "worker"?'
                ),
            ],
        ),
        ("{command: [work]}", "{}", ["14: stacks.shop.process.services.worker.command: is missing"]),
        (
            "    process:\n",
            "    compose: {}\n    process:\n",
            ['11: stacks.shop.compose: has no effect: the target is "process"'],
        ),
        (
            "    process:\n",
            "    checks: [{name: a, type: command, service: web, command: [x]}]\n    process:\n",
            ['11: stacks.shop.checks[0]: looks into a container, and the target "process" has none'],
        ),
        (
            "    process:\n",
            "    environments: {staging: {process: {services: {web: {command: []}}}}}\n    process:\n",
            ["11: stacks.shop.environments.staging.process.services.web.command: is missing"],
        ),
        ("hosts: [here]", "hosts: [far]", []),
        ("    process:\n", "    environments: {staging: {}}\n    process:\n", []),
    ],
)
def test_the_process_target_has_rules_of_its_own(
    mistakes: Ask, old: str, new: str, messages: list[str]
) -> None:
    text = PROCESS.replace("hosts:\n", "hosts:\n  far: {ssh: a@b, known_hosts: k}\n", 1)
    assert old in text
    found = mistakes(text.replace(old, new, 1))
    assert found == [
        f"deploy.yml:{int(at) + 1}:{rest}" for at, _, rest in (m.partition(":") for m in messages)
    ]


def test_a_process_stack_that_mentions_a_far_environment_is_refused(mistakes: Ask) -> None:
    text = (
        PROCESS.replace("{local: true}", "{ssh: a@b, known_hosts: k}") + "    environments: {staging: {}}\n"
    )
    assert mistakes(text) == [
        (
            'deploy.yml:15: stacks.shop.environments.staging: the target "process" works on a'
            " local host alone,"
            ' and staging is on "here"'
        )
    ]


def test_a_process_stack_that_mentions_an_environment_with_sudo_is_refused(mistakes: Ask) -> None:
    text = PROCESS.replace("{local: true}", "{local: true, sudo: true}")
    assert mistakes(text) == [], "as for a far host, it may be meant for other stacks"
    assert mistakes(text + "    environments: {staging: {}}\n") == [
        (
            'deploy.yml:15: stacks.shop.environments.staging: the target "process" cannot use sudo,'
            ' and staging is on "here", which has "sudo: true"'
        )
    ]


def test_a_process_of_an_environment_may_leave_its_command_to_the_stack(mistakes: Ask) -> None:
    text = PROCESS + "    environments: {staging: {process: {services: {web: {env: {PORT: '1'}}}}}}\n"
    assert mistakes(text) == []


def two_hosts(good: str, first: str, second: str) -> str:
    text = good.replace("  here: {local: true}", f"  here: {first}\n  there: {second}")
    return text.replace("owner: operations, hosts: [here]", "owner: operations, hosts: [there]")


def test_environments_on_different_hosts_need_a_host_for_their_records(good: str, mistakes: Ask) -> None:
    text = two_hosts(good, "{local: true}", "{ssh: a@b, known_hosts: k}")
    assert mistakes(text) == [
        (
            "deploy.yml:2: records.host: is missing: environments on different hosts must all find"
            " the same records"
        )
    ]
    assert mistakes(text.replace("{path: records}", "{path: /srv/records, host: there}")) == []
    assert mistakes(text.replace("{path: records}", "{path: records, host: here}")) == []


def test_the_same_machine_under_two_names_is_one_machine(good: str, mistakes: Ask) -> None:
    for first, second in (
        ("{local: true}", "{local: true}"),
        ("{ssh: a@b, known_hosts: k}", "{ssh: c@b, known_hosts: k}"),
    ):
        text = two_hosts(good, first, second)
        assert mistakes(text) == []
        assert len(mistakes(text.replace("source: shop", "run_dir: /srv/shop"))) == 1


def test_one_folder_on_two_machines_is_two_folders(good: str, mistakes: Ask) -> None:
    text = two_hosts(good, "{local: true}", "{ssh: a@b, known_hosts: k}")
    text = text.replace("{path: records}", "{path: records, host: here}")
    assert mistakes(text.replace("source: shop", "run_dir: /srv/shop, project: shop")) == []


def test_records_on_another_host_need_an_absolute_path(good: str, mistakes: Ask) -> None:
    text = good.replace("{local: true}", "{ssh: a@b, known_hosts: k}").replace(
        "{path: r", "{host: here, path: r"
    )
    assert mistakes(text) == ['deploy.yml:2: records.path: "records" must be absolute on host here']


def test_two_stacks_cannot_share_a_folder_or_project(good: str, mistakes: Ask) -> None:
    other = "  a:\n    target: compose\n    images: {x: {repository: x/y, services: [x]}}\n    compose: "
    text = good + other + "{run_dir: '/srv/./stacks/shop-{environment}/', project: 'shop-{environment}'}\n"
    assert [line.partition(": ")[2] for line in mistakes(text)] == [
        f'stacks.a.compose.{key}: "{value}-{environment}" is used by shop in {environment} and by a in'
        f" {environment} on the same host: write {{stack}} and {{environment}} into it"
        for key, value in (("project", "shop"), ("run_dir", "/srv/stacks/shop"))
        for environment in ("production", "staging")
    ]


def test_two_process_stacks_cannot_share_a_folder(mistakes: Ask) -> None:
    settings = "process: {run_dir: 'data/./{environment}', services: {web: {command: [serve]}}}"
    other = "  work:\n    target: process\n    images: {web: {repository: b, services: [web]}}\n"
    other += f"    {settings}"
    text = PROCESS.replace("    process:\n", "    process:\n      run_dir: 'data/{environment}'\n") + other
    assert mistakes(text) == [
        (
            'deploy.yml:19: stacks.work.process.run_dir: "data/staging" is used by shop in staging and by'
            " work in staging on the same host: write {stack} and {environment} into it"
        )
    ]


def test_names_that_only_meet_after_filling_in_are_found(good: str, mistakes: Ask) -> None:
    environments = (
        "  c: {tier: other, owner: x, hosts: [here]}\n  b-c: {tier: other, owner: x, hosts: [here]}\nstacks:"
    )
    stack = "    target: compose\n    images: {x: {repository: x/y, services: [x]}}\n"
    text = good.replace("stacks:", environments) + f"  a:\n{stack}  a-b:\n{stack}"
    assert any('"a-b-c" is used by a in b-c and by a-b in c' in line for line in mistakes(text))


def test_a_circle_of_three_is_told_once(mistakes: Ask, good: str) -> None:
    third = "  qa: {tier: testing, owner: x, hosts: [here], requires: {environment: production}}\nstacks:"
    text = good.replace("stacks:", third).replace("owner: team,", "owner: team, requires: {environment: qa},")
    assert mistakes(text) == [
        (
            "deploy.yml:6: environments.staging.requires.environment: environments require each"
            " other in a circle:"
            " staging -> qa -> production -> staging"
        )
    ]


@pytest.mark.parametrize("records", ["{path: records}", "{path: records, host: here}"])
def test_a_hosted_runner_cannot_keep_the_records_of_a_gate(good: str, records: str) -> None:
    config = load(good.replace("{path: records}", records), name="deploy.yml").config
    check_runner(config, hosted=False)
    with pytest.raises(ConfigFault) as caught:
        check_runner(config, hosted=True)
    assert caught.value.message == (
        "records are kept on this runner, which is thrown away after the job, but environment"
        " production needs"
        " them to decide"
    )
    assert caught.value.exit == 2


def test_a_hosted_runner_may_keep_records_that_no_gate_reads_or_that_are_elsewhere(good: str) -> None:
    ungated = good.replace(", requires: {environment: staging}", "")
    check_runner(load(ungated, name="deploy.yml").config, hosted=True)
    far = good.replace("{local: true}", "{ssh: a@b, known_hosts: k}").replace(
        "{path: r", "{host: here, path: /r"
    )
    check_runner(load(far, name="deploy.yml").config, hosted=True)
