import pytest

from ci_lib.config.load import load
from ci_lib.config.policy import load_policy
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.config.tighten import tightened
from ci_lib.domain.errors import ConfigFault, Refusal
from ci_lib.domain.reasons import Reason

DAY = 86400.0
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
KEY = """\
version: 1
keys:
  - public_key: PEM
    verifier: https://ci.example/acme/shop/staging
    environments: [staging]
"""


def settings(requires: str = "", environment: str = "production") -> Resolved:
    written = f", requires: {{{requires}}}" if requires else ""
    return resolve(
        load(DEPLOY_YML.replace("REQUIRES", written), name="deploy.yml"), "shop", environment, "/checkout"
    )


def demands(requires: str) -> str:
    return f"version: 1\nenvironments:\n  production: {{requires: {{{requires}}}}}\n"


def mistake(text: str) -> str:
    with pytest.raises(ConfigFault) as fault:
        load_policy(text, name="policy.yml")
    assert "sign-verifications" in fault.value.hint
    return fault.value.message


def test_a_policy_names_keys_and_what_they_may_speak_for() -> None:
    (rule,) = load_policy(KEY, name="policy.yml").keys
    assert (rule.environments, rule.stacks, rule.revoked) == (("staging",), (), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEY + "    enviroments: [x]\n", "policy.yml:6: keys[0].enviroments: "),
        (KEY.replace("[staging]", "[]"), "policy.yml:5: keys[0].environments: "),
        (KEY.replace("https://ci.example", "no uri "), "keys[0].verifier: "),
        (KEY + "    not_after: 2026-02-30\n", "keys[0].not_after: there is no day 2026-02-30"),
        (KEY + "    not_before: soon\n", "keys[0].not_before: "),
        (KEY.replace("version: 1", "version: 2"), "version: "),
        (demands("environment: production"), "cannot require itself"),
        (demands("environment: staging, soak: 4"), "soak: "),
        ("", "the file is empty"),
        ("- x", "must be a mapping"),
    ],
)
def test_every_mistake_is_named_at_its_line(text: str, said: str) -> None:
    assert said in mistake(text)


def test_the_policy_alone_makes_a_gate() -> None:
    found = tightened(settings(), load_policy(demands("environment: staging, soak: 4h"), name="p"))
    assert found.place.requires is not None
    assert (found.place.requires.environment, found.place.requires.soak) == ("staging", 4 * 3600.0)


def test_whoever_the_policy_asks_to_verify_knows_it() -> None:
    policy = load_policy(demands("environment: staging"), name="p")
    assert tightened(settings(environment="staging"), policy).required_by == ("production",)


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ("soak: 1h", "soak: 4h", {"soak": 4 * 3600.0}),
        ("soak: 8h", "soak: 4h", {"soak": 8 * 3600.0}),
        ("max_age: 3d", "max_age: 7d", {"max_age": 3 * DAY}),
        ("max_age: 60d", "max_age: 7d", {"max_age": 7 * DAY}),
        ("max_age: 60d", "soak: 0s", {"max_age": 60 * DAY}),
        ("match: image", "match: set", {"match": "set"}),
        ("match: set", "match: image", {"match": "set"}),
    ],
)
def test_the_stricter_demand_counts(ours: str, theirs: str, found: dict[str, object]) -> None:
    policy = load_policy(demands(f"environment: staging, {theirs}"), name="p")
    requires = tightened(settings(f"environment: staging, {ours}"), policy).place.requires
    assert requires is not None
    assert {name: getattr(requires, name) for name in found} == found


def test_another_environment_than_the_policy_wants_is_refused() -> None:
    text = DEPLOY_YML.replace("REQUIRES", ", requires: {environment: test}").replace(
        "stacks:", "  test: {tier: testing, owner: team, hosts: [here]}\nstacks:"
    )
    ours = resolve(load(text, name="deploy.yml"), "shop", "production", "/checkout")
    with pytest.raises(Refusal) as refusal:
        tightened(ours, load_policy(demands("environment: staging"), name="p"))
    assert refusal.value.reason is Reason.POLICY


def test_what_the_policy_does_not_speak_of_stays() -> None:
    ours = settings("environment: staging, soak: 1h")
    assert tightened(ours, load_policy("version: 1\n", name="p")) == ours
