"""``deploy-actions records verify``: a stack's ledger looked through from its first line to its last."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from ci_lib.cli.console import Session, Values, load_file, stack_of
from ci_lib.cli.hosts import Hosts, records_host, store_at
from ci_lib.cli.look import Found, look
from ci_lib.cli.policy import found_policies, trusts_of
from ci_lib.config.load import Loaded
from ci_lib.config.overlay import fill, settings_of
from ci_lib.domain.outcome import Mark
from ci_lib.domain.reasons import Exit
from ci_lib.ports.forks import Forks, processors
from ci_lib.records.audit import Audit, audit
from ci_lib.records.chain import check
from ci_lib.report.history import conditions

_PIECE = 4_000_000
"""Bytes that are worth a process of their own: it takes longer to look through them than to begin one."""


def run(values: Values) -> Exit:
    """Print what was found, and the ledger's head; nothing is changed."""

    def find(session: Session) -> Found:
        loaded = load_file(values["config"])
        stack = stack_of(values, loaded)
        found = _audited(session, loaded, stack, str(Path(values["config"]).resolve().parent))
        wrong = any(row.mark is Mark.FAILED for row in found.rows)
        data = {
            "stack": stack,
            "records": found.records,
            "head": found.head,
            "rows": [row.as_json() for row in found.rows],
        }
        text = f"{conditions(found.rows)}head of {stack}: {found.head}\n"
        return Found(data=data, text=text, exit=Exit.CHECK_FAILED if wrong else Exit.OK)

    return look(values, find)


def _audited(session: Session, loaded: Loaded, stack: str, folder: str) -> Audit:
    config = loaded.config

    @cache
    def names(environment: str) -> tuple[str, str]:
        merged = settings_of(config.stacks[stack], environment)
        settings = fill(merged, stack=stack, environment=environment)
        return settings.history_name or stack, settings.history_env or environment

    with ExitStack() as exits:
        hosts = Hosts(session, folder, exits)
        store = store_at(session, config.records, config.hosts, folder, hosts, exits)
        policies = found_policies(session, [records_host(session, config.records, config.hosts, hosts)])
        chain = replace(check(store.read(stack)), flaw=partial(trusts_of(policies).flaw, stack))
        at_once = min(processors(), len(chain.data) // _PIECE + 1)
        with _no_collector():
            return audit(chain, store.views(stack), names, workers=Forks(), at_once=at_once)


@contextmanager
def _no_collector() -> Iterator[None]:
    """A long ledger makes millions of objects, none of them in a cycle: looking for some takes a quarter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
