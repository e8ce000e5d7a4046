"""Where the policy is found, and what becomes of one that cannot be used."""


from dataclasses import replace
from typing import Any

import pytest

from ci_lib.cli.console import Session, open_session
from ci_lib.cli.policy import demand_of, files_of, found_policies, seal_of, trust_of, trusts_of
from ci_lib.config.models import Signing
from ci_lib.config.policy import PLACE, VARIABLE, load_policy
from ci_lib.domain.approval import Source
from ci_lib.domain.errors import ConfigFault, Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import NotFound, PortFault, Unreachable
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


def soaks(found: Any) -> list[float]:
    return [float(policy.environments["production"].requires.soak) for policy in found]


def undecided(found: Session, host: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        found_policies(found, [host])
    assert refusal.value.reason is Reason.CANNOT_DECIDE
    assert refusal.value.hint
    return refusal.value.message


def test_without_any_policy_deploy_yml_counts_alone() -> None:
    host: Any = Files()
    assert found_policies(session(), [host]) == ()


def test_every_policy_that_is_found_counts() -> None:
    hosts: list[Any] = [Files(policy=text("3h").encode()), Files(), Files(policy=text("1h").encode())]
    assert soaks(found_policies(session(**{VARIABLE: text("2h")}), hosts)) == [10800.0, 3600.0, 7200.0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (PortFault("permission denied"), "permission denied"),
        (b"version: 1\nkyes: []\n", "kyes"),
        (b"\xff", "cannot be read"),
        (b"", "is empty"),
        (b"\n", "is empty"),
    ],
)
def test_a_policy_that_cannot_be_used_decides_nothing(found: bytes | Exception, said: str) -> None:
    host: Any = Files(policy=found)
    assert said in undecided(session(**{VARIABLE: text()}), host)


def test_a_host_that_does_not_answer_is_not_one_without_a_policy() -> None:
    host: Any = Files(policy=Unreachable("web1 cannot be reached"))
    with pytest.raises(Unreachable):
        found_policies(session(), [host])


@pytest.mark.parametrize("given", ["version: 2\n", " "])
def test_a_broken_variable_is_not_the_same_as_none(given: str) -> None:
    host: Any = Files()
    assert VARIABLE in undecided(session(**{VARIABLE: given}), host)


APPROVALS = """\
version: 1
environments: {production: {approvals: {gates: [force], by: [BY]}}}
"""


def asking(by: str, files: str = "") -> Any:
    return load_policy(APPROVALS.replace("BY", by) + files, name="p")


def test_what_one_policy_does_not_take_is_no_proof() -> None:
    found = demand_of([asking("signature, file"), asking("file, forge")], "production")
    assert found.by == {Source.FILE}
    assert demand_of([asking("signature")], "staging").gates == frozenset()


def test_policies_that_name_different_places_for_files_have_none() -> None:
    main, other = asking("file", "files: {branch: main}\n"), asking("file", "files: {branch: mine}\n")
    assert files_of([main], "production") is not None
    assert files_of([main, main], "production") is not None
    assert files_of([main, other], "production") is None
    assert files_of([main, asking("file")], "production") is None


def test_a_policy_adds_no_approver_to_those_of_another() -> None:
    bob, mallory = (load_policy(approver(name, new_key()), name="p") for name in ("bob", "mallory"))
    assert [person.name for person in trusts_of([bob]).approvers] == ["bob"]
    assert trusts_of([bob, mallory]).approvers == ()
    assert [person.name for person in trusts_of([bob, bob]).approvers] == ["bob"]


def approver(name: str, private: str) -> str:
    indented = "".join(f"      {line}\n" for line in public_of(private).splitlines())
    return f"version: 1\napprovers:\n  - name: {name}\n    public_key: |\n{indented}    environments: [x]\n"


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


