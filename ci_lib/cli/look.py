"""Commands that only look: they print what they found, or one error with the documented exit code.

The engine is imported where it is needed: most of these commands do without, and start sooner.
"""

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ci_lib.cli.console import Session, Values, load_file, open_session, stack_of
from ci_lib.cli.hosts import Hosts, records_host, store_at
from ci_lib.cli.policy import found_policies, trusts_of
from ci_lib.config.load import Loaded
from ci_lib.config.resolve import must_exist
from ci_lib.domain.errors import Cancelled, DeployError
from ci_lib.domain.reasons import Exit
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.system import cancel_on_signals
from ci_lib.records.chain import Chain, check


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a command found: ``data`` for machines, ``text`` for people."""

    data: Any
    text: str
    exit: Exit = Exit.OK


def look(values: Values, find: Callable[[Session], Found]) -> Exit:
    """Run ``find`` and print what it returns, as JSON or as text."""
    cancel_on_signals()
    quiet = bool(values.get("json"))
    session = open_session(quiet=quiet)
    try:
        found = find(session)
    except Cancelled:
        return Exit.CANCELLED
    except DeployError as error:
        session.reporter.error(error.message, error.hint)
        return error.exit
    except PortFault as fault:
        from ci_lib.domain.faults import as_fault

        met = as_fault(fault)
        session.reporter.error(met.message, met.hint)
        return met.exit
    except BrokenPipeError:
        raise  # our reader has left: nothing to explain
    except Exception:
        # The boundary: a defect ends in an exit code of its own, with the traceback for its report.
        session.err.write(session.redact(traceback.format_exc()))
        session.reporter.error("a defect of deploy-actions", "please report it with the lines above")
        return Exit.BUG
    if quiet:
        session.out.line(json.dumps(session.redact.deep(found.data), indent=2))
    else:
        session.reporter.text(found.text)
    return found.exit


@contextmanager
def ledger_of(values: Values, session: Session) -> Iterator[tuple[Loaded, str, Chain]]:
    """deploy.yml, the stack's name and its checked ledger; raise ``UsageFault`` for unknown names."""
    loaded = load_file(values["config"])
    stack = stack_of(values, loaded)
    if values["environment"]:
        must_exist("environment", values["environment"], loaded.config.environments, loaded.name)
    folder = str(Path(values["config"]).resolve().parent)
    config = loaded.config
    with ExitStack() as exits:
        hosts = Hosts(session, folder, exits)
        store = store_at(session, config.records, config.hosts, folder, hosts, exits)
        policies = found_policies(session, [records_host(session, config.records, config.hosts, hosts)])
        flaw = partial(trusts_of(policies).flaw, stack)
        yield loaded, stack, replace(check(store.read(stack)), flaw=flaw)
