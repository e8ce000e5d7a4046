"""Somebody who may change deploy.yml, or the job's variables, makes the gate milder."""

from ci_lib.config.load import load
from ci_lib.config.policy import load_policy
from ci_lib.config.resolve import resolve
from ci_lib.config.tighten import tightened

DEPLOY_YML = """\
version: 1
records: {path: records}
hosts: {here: {local: true}}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
  production: {tier: production, owner: team, hosts: [here]REQUIRES}
stacks:
  shop: {target: compose, images: {api: {repository: r/api, services: [api]}}}
"""
POLICY = load_policy(
    "version: 1\nenvironments:\n"
    "  production: {requires: {environment: staging, match: set, max_age: 7d, soak: 4h}}\n",
    name="policy.yml",
)


def demanded(requires: str) -> tuple[str, str, float, float]:
    loaded = load(DEPLOY_YML.replace("REQUIRES", requires), name="deploy.yml")
    found = tightened(resolve(loaded, "shop", "production", "/checkout"), POLICY).place.requires
    assert found is not None
    return found.environment, found.match, found.max_age, found.soak


LEAST = ("staging", "set", 7 * 86400.0, 4 * 3600.0)


def test_taking_the_gate_out_of_deploy_yml_leaves_that_of_the_policy() -> None:
    assert demanded("") == LEAST


def test_milder_conditions_in_deploy_yml_do_not_count() -> None:
    assert demanded(", requires: {environment: staging, match: image, max_age: 3650d}") == LEAST


def test_the_only_variables_that_are_read_open_no_gate() -> None:
    from ci_lib.cli.options import Where
    from ci_lib.cli.table import TABLE

    gates = {"force", "skip-checks", "approver"}
    options = [option for command in TABLE.values() for option in command.options if option.name in gates]
    assert options
    assert all(option.where is Where.GATE and not option.variable for option in options)
