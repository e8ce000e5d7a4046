"""Where the policy is found, and what becomes of one that cannot be used."""


from dataclasses import replace
from typing import Any

import pytest

from ci_lib.cli.console import Session, open_session
from ci_lib.cli.policy import NO_POLICY, read_policy, seal_of, trust_of
from ci_lib.config.models import Signing
from ci_lib.config.policy import PLACE, VARIABLE, load_policy
from ci_lib.domain.errors import ConfigFault, Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import NotFound, Unreachable
from ci_lib.signing.keys import fingerprint, new_key, public_of

KEY = new_key()


def text(soak: str = "1h") -> str:
    return f"version: 1\nenvironments: {{production: {{requires: {{environment: staging, soak: {soak}}}}}}}\n"


class Files:
    """A host of which only files are read."""

    name = "ops"

    def __init__(self, **files: bytes | Exception) -> None:
        self._found = files.get("policy", NotFound(PLACE))

    def read(self, path: str) -> bytes:
        assert path == "/etc/deploy-actions/policy.yml"
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def session(**env: str) -> Session:
    return replace(open_session(quiet=True), env=env)


def soak(found: Any) -> float:
    return float(found.environments["production"].requires.soak)


def undecided(found: Session, host: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        read_policy(found, host)
    assert refusal.value.reason is Reason.CANNOT_DECIDE
    assert refusal.value.hint
    return refusal.value.message


def test_without_any_policy_deploy_yml_counts_alone() -> None:
    host: Any = Files()
    assert read_policy(session(), host) == NO_POLICY


def test_the_variable_serves_where_the_host_has_none() -> None:
    host: Any = Files()
    assert soak(read_policy(session(**{VARIABLE: text("2h")}), host)) == 7200.0


def test_what_lies_on_the_host_beats_the_variable() -> None:
    host: Any = Files(policy=text("3h").encode())
    assert soak(read_policy(session(**{VARIABLE: text("0s")}), host)) == 10800.0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Unreachable("permission denied"), "permission denied"),
        (b"version: 1\nkyes: []\n", "kyes"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_used_decides_nothing(found: bytes | Exception, said: str) -> None:
    host: Any = Files(policy=found)
    assert said in undecided(session(**{VARIABLE: text()}), host)


def test_a_broken_variable_is_not_the_same_as_none() -> None:
    host: Any = Files()
    assert VARIABLE in undecided(session(**{VARIABLE: "version: 2\n"}), host)


def keyed(public: str) -> str:
    indented = "".join(f"      {line}\n" for line in public.splitlines())
    return (
        f"version: 1\nkeys:\n  - public_key: |\n{indented}    verifier: https://ci.example/shop\n"
        "    environments: [staging]\n    not_before: 2026-01-01\n    not_after: 2026-12-31\n"
    )


def test_a_key_is_bound_to_what_the_policy_says() -> None:
    (key,) = trust_of(load_policy(keyed(public_of(KEY)), name="p")).keys
    assert key.keyid == fingerprint(public_of(KEY))
    assert key.speaks_for("shop", "staging")
    assert not key.speaks_for("shop", "production")
    assert (str(key.since), str(key.until)) == ("2026-01-01 00:00:00+00:00", "2027-01-01 00:00:00+00:00")


@pytest.mark.parametrize("text", ["PEM", KEY], ids=["no PEM", "private"])
def test_a_text_that_is_no_public_key_decides_nothing(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        trust_of(load_policy(keyed(text), name="p"))
    assert refusal.value.reason is Reason.CANNOT_DECIDE


def test_an_environment_that_signs_needs_its_key() -> None:
    signing = Signing(key_env="SIGNING_KEY", verifier="https://ci.example/shop")
    with pytest.raises(ConfigFault, match="SIGNING_KEY is not set"):
        seal_of(session(), signing)
    assert seal_of(session(), None) is None


def test_the_key_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    found = session(SIGNING_KEY=KEY)
    assert seal_of(found, Signing(key_env="SIGNING_KEY", verifier="https://ci.example/shop"))
    assert KEY.splitlines()[1] not in found.redact(f"x {KEY} y")


