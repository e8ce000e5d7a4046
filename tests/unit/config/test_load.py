from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.config.patterns import KINDS
from ci_lib.config.schema import parts, schema
from ci_lib.domain.errors import ConfigFault

Ask = Callable[[str], list[str]]
NAMES = 'use lower-case letters, digits, "-" and "_", 63 at most, and begin with a letter or digit'


def test_a_good_file_is_loaded_with_its_lines(good: str) -> None:
    loaded = load(good, name="deploy.yml")
    assert loaded.config.stacks["shop"].compose.source == "shop"
    assert loaded.lines[("stacks", "shop", "images", "api")] == 12


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    images:",
            "    imagess:",
            'deploy.yml:11: stacks.shop.imagess: unknown key, did you mean "images"?',
        ),
        ("version: 1", "version: 2", "deploy.yml:1: version: must be 1, not 2"),
        ("version: 1", "version: '1'", 'deploy.yml:1: version: must be 1, not "1"'),
        ("version: 1\n", "", "deploy.yml:1: version: is missing"),
        ("records: {path: records}", "records: {}", "deploy.yml:2: records.path: is missing"),
        ("records: {path: records}", "records:", "deploy.yml:2: records: is empty, and must be a mapping"),
        ("{path: records}", "{path: ''}", "deploy.yml:2: records.path: must not be empty"),
        ("{path: records}", "{path: 3}", "deploy.yml:2: records.path: must be text, not 3; put it in quotes"),
        (
            "{path: records}",
            "{path: x, qqq: 1}",
            "deploy.yml:2: records.qqq: unknown key, known are: store, host, path",
        ),
        ("  here: {local: true}", "  {}", "deploy.yml:3: hosts: must not be empty"),
        ("local: true", "local: 'true'", 'deploy.yml:4: hosts.here.local: must be true or false, not "true"'),
        (
            "local: true",
            "ssh: -oProxyCommand=x@y",
            (
                'deploy.yml:4: hosts.here.ssh: "-oProxyCommand=x@y" does not fit: write'
                " user@host, user@host:port"
                " or a name from ssh_config"
            ),
        ),
        (
            "tier: staging",
            "tier: prod",
            (
                'deploy.yml:6: environments.staging.tier: "prod" is not one of production,'
                " staging, testing, development,"
                ' other, did you mean "production"?'
            ),
        ),
        (
            "hosts: [here]}",
            "hosts: []}",
            "deploy.yml:6: environments.staging.hosts: must not be empty",
        ),
        (
            "hosts: [here]}",
            "hosts: here}",
            'deploy.yml:6: environments.staging.hosts: must be a list, not "here"',
        ),
        (
            "{environment: staging}",
            "{environment: staging, max_age: 5}",
            (
                "deploy.yml:7: environments.production.requires.max_age: 5 is not a duration:"
                " write a number and s, m, h"
                " or d, such as 5s or 10m"
            ),
        ),
        (
            "{environment: staging}",
            "{environment: staging, max_age: 0s}",
            (
                'deploy.yml:7: environments.production.requires.max_age: "0s" is no time at all:'
                " write at least 0.001s"
            ),
        ),
        (
            "{environment: staging}",
            "{environment: staging, max_age: 9999d}",
            (
                'deploy.yml:7: environments.production.requires.max_age: "9999d" is too long: 3650d'
                " is the longest duration"
            ),
        ),
        ("  shop:", "  Shop:", f'deploy.yml:9: stacks.Shop: "Shop" does not fit: {NAMES}'),
        ("  shop:", '  "a/../b":', f'deploy.yml:9: stacks."a/../b": "a/../b" does not fit: {NAMES}'),
        ("  shop:", '  "$(id)\\n":', f'deploy.yml:9: stacks."$(id)\\n": "$(id)\\n" does not fit: {NAMES}'),
        (
            "target: compose",
            "target: composs",
            (
                'deploy.yml:10: stacks.shop.target: "composs" is not one of compose, process, did you'
                ' mean "compose"?'
            ),
        ),
        (
            "here: {local: true}",
            "here: {'[key]': 1, local: true}",
            (
                'deploy.yml:4: hosts.here."[key]": unknown key, known are: local, ssh, known_hosts,'
                " key_env, sudo"
            ),
        ),
        (
            "    compose: {source: shop}",
            "    compose: [shop]",
            "deploy.yml:13: stacks.shop.compose: must be a mapping, not a list",
        ),
        (
            "{source: shop}",
            "{source: shop}\n    backup: {keep: 0}",
            "deploy.yml:14: stacks.shop.backup.keep: must be at least 1, not 0",
        ),
        (
            "{source: shop}",
            "{source: shop}\n    backup: {keep: many}",
            'deploy.yml:14: stacks.shop.backup.keep: must be a whole number, not "many"',
        ),
        (
            "{source: shop}",
            "{source: shop}\n    preflight: {disk_free: 20}",
            (
                "deploy.yml:14: stacks.shop.preflight.disk_free: 20 is not a percentage: write a"
                " number from 0 to 100"
                " and %, such as 20%"
            ),
        ),
        (
            "{source: shop}",
            "{source: shop}\n    hooks: {before_switch: [[]]}",
            "deploy.yml:14: stacks.shop.hooks.before_switch[0]: must not be empty",
        ),
        (
            "{source: shop}",
            "{source: shop}\n    hooks: {before_switch: [[1]]}",
            "deploy.yml:14: stacks.shop.hooks.before_switch[0][0]: must be text, not 1; put it in quotes",
        ),
        (
            "{source: shop}",
            "{source: shop}\n    registries: {ghcr.io: {username_env: U}}",
            'deploy.yml:14: stacks.shop.registries."ghcr.io".password_env: is missing',
        ),
        (
            "{source: shop}",
            "{source: shop}\n    environments: {staging: {target: process}}",
            (
                "deploy.yml:14: stacks.shop.environments.staging.target: unknown key, known are:"
                " compose, process, checks,"
                " verify, hooks, limits, preflight, backup, provision, migration, release, evidence,"
                " registries, url, history_name, history_env"
            ),
        ),
    ],
)
def test_a_part_of_the_wrong_shape_is_told_in_a_sentence(
    good: str, mistakes: Ask, old: str, new: str, message: str
) -> None:
    assert old in good
    assert mistakes(good.replace(old, new, 1)) == [message]


CHECKS = "health, http, tcp, postgres, mysql, command, script, restore_test, isolation"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("{name: a, type: http, url: 'http://x', status: 99}", "[0].status: must be at least 100, not 99"),
        ("{name: a, type: http, url: 'http://x', status: 600}", "[0].status: must be at most 599, not 600"),
        (
            "{name: a, type: http, url: x}",
            '[0].url: "x" does not fit: write a URL that begins with http:// or https:// and has no spaces',
        ),
        ("{name: a, type: http, url: 'http://x', fron: host}", '[0].fron: unknown key, did you mean "from"?'),
        (
            "{name: a, type: htpp}",
            f'[0].type: "htpp" is not one of {CHECKS}, did you mean "http"?',
        ),
        ("{name: a}", f"[0].type: is missing; it is one of {CHECKS}"),
        ("5", "[0]: must be a mapping, not 5"),
        (
            "{name: a, type: script, command: [x], from: container}",
            '[0].from: "container" is not one of runner, host',
        ),
    ],
)
def test_the_kinds_of_checks_do_not_show_up_in_paths(
    good: str, mistakes: Ask, check: str, message: str
) -> None:
    text = good + f"    checks:\n      - {check}\n"
    assert mistakes(text) == [f"deploy.yml:15: stacks.shop.checks{message}"]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(good: str, mistakes: Ask) -> None:
    text = good.replace("version: 1", "version: 3").replace("owner: team, ", "").replace("source:", "sorce:")
    assert mistakes(text) == [
        "deploy.yml:1: version: must be 1, not 3",
        "deploy.yml:6: environments.staging.owner: is missing",
        'deploy.yml:13: stacks.shop.compose.sorce: unknown key, did you mean "source"?',
    ]


def test_a_long_value_is_shortened_and_its_control_characters_are_escaped(good: str, mistakes: Ask) -> None:
    secret = "tok\\t" + "s" * 500
    (line,) = mistakes(good.replace("tier: staging", f'tier: "{secret}"'))
    assert '"tok\\t' in line
    assert "s" * 56 not in line
    assert "…" in line


def test_bidirectional_text_is_escaped(good: str, mistakes: Ask) -> None:
    (line,) = mistakes(good.replace("tier: staging", "tier: 'a\u202eb'"))
    assert '"a\\u202eb"' in line


def test_the_fault_points_to_the_reference() -> None:
    with pytest.raises(ConfigFault) as caught:
        load("a: 1", name="deploy.yml")
    assert caught.value.hint == "docs/reference/deploy-yml.md of deploy-actions describes every key"
    assert caught.value.exit == 2


def test_every_pattern_has_its_rule_in_words() -> None:
    made = list(parts(schema()))
    used = {part["pattern"] for part in made if isinstance(part.get("pattern"), str)}
    used |= {key for part in made for key in part.get("patternProperties", {})}
    used.discard(r"^0+(\.0+)?[smhd]$")  # what a time limit must not be has a sentence of its own
    assert used == set(KINDS)
