"""``deploy-actions keys show``: the keys whose verifications count."""

from contextlib import ExitStack
from pathlib import Path

from ci_lib.cli.console import Session, Values, load_file
from ci_lib.cli.hosts import Hosts, records_host
from ci_lib.cli.look import Found, look
from ci_lib.cli.policy import found_policies, trust_of
from ci_lib.domain.reasons import Exit
from ci_lib.report.history import KeyRow, keys


def run(values: Values) -> Exit:
    """Print the keys of the policy, each with what it may speak for."""

    def find(session: Session) -> Found:
        loaded = load_file(values["config"])
        with ExitStack() as exits:
            hosts = Hosts(session, str(Path(values["config"]).resolve().parent), exits)
            config = loaded.config
            policies = found_policies(session, [records_host(session, config.records, config.hosts, hosts)])
        rows = [
            KeyRow(
                fingerprint=key.keyid,
                verifier=key.verifier,
                environments=", ".join(key.environments),
                stacks=", ".join(key.stacks) or "all",
                since=rule.not_before or "",
                until=rule.not_after or "",
                state="revoked" if key.revoked else "trusted",
            )
            for policy in policies
            for key, rule in zip(trust_of(policy).keys, policy.keys, strict=True)
        ]
        return Found(data=[policy.model_dump(mode="json") for policy in policies], text=keys(rows))

    return look(values, find)
