"""What every command starts with: environment, CI facts, masking, and the voice that it speaks with."""

import difflib
import getpass
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ci_lib.ci.console import Console
from ci_lib.ci.detect import detect
from ci_lib.ci.github import GitHubReporter
from ci_lib.ci.gitlab import GitLabReporter
from ci_lib.ci.gitlab_facts import job_folder
from ci_lib.ci.local import LocalReporter
from ci_lib.config.load import Loaded, load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.config.rules import check_runner
from ci_lib.domain.errors import ConfigFault, UsageFault
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.redact import Redactor, secret_values
from ci_lib.domain.reporter import Reporter
from ci_lib.ports.files import LocalFiles
from ci_lib.ports.local import LocalHost
from ci_lib.ports.processes import machine, process_table, this_process
from ci_lib.ports.protocols import Host
from ci_lib.ports.system import SystemClock, environment

Values = Mapping[str, Any]
"""The options of a command line, as click hands them over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One call of the command line. ``out`` and ``err`` are the streams that ``reporter`` speaks on."""

    env: Mapping[str, str]
    facts: CiFacts
    redact: Redactor
    reporter: Reporter
    runner: Host
    out: Console
    err: Console

    def value(self, name: str) -> str:
        """An environment variable that deploy.yml names; raise ``ConfigFault`` when it is not set."""
        found = self.env.get(name, "")
        if not found:
            raise ConfigFault(
                f"the environment variable {name} is not set",
                hint="deploy.yml names it; hand the secret to the job as that variable",
            )
        return found

    def secret(self, name: str) -> str:
        """As ``value``, and never shown from now on."""
        found = self.value(name)
        self.mask([found])
        return found

    def mask(self, secrets: Iterable[str]) -> None:
        """Never show these values, here and in the CI's log."""
        self.reporter.mask(secrets)


class LastingConsole(Console):
    """A console that outlives its reader: a release goes on when whoever watched it has left (``| head``)."""

    def write(self, text: str) -> None:
        """Write ``text``; once nobody reads any more, it goes nowhere."""
        try:
            super().write(text)
        except BrokenPipeError:
            # The descriptor itself, or Python would complain at its end about what is still in the buffer.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def open_session(*, quiet: bool = False, lasting: bool = False) -> Session:
    """Read the environment, find the CI, mask what looks secret.

    ``quiet`` keeps standard output for JSON. ``lasting``: nothing stops because our reader has left.
    """
    env = {"USER": _user(), **environment()}
    process = this_process()
    # Two machines, or containers, may have one name: the process table tells them apart.
    owner = f"local:{machine()}/{process.pid}.{process.started}@{process_table()}"
    facts = detect(env, local_owner=owner)
    redact = Redactor(secret_values(env))
    folder = job_folder(env)
    if linked := Path(folder).is_symlink():
        env["CI_PROJECT_DIR"] = ""  # a commit brought the link: what it leads to is not ours to write
    console = LastingConsole if lasting else Console
    out, err = console.of(sys.stdout, env), console.of(sys.stderr, env)
    runner, log = LocalHost("runner"), err if quiet else out
    reporter: Reporter
    if facts.provider == "github":
        reporter = GitHubReporter(env=env, console=log, files=LocalFiles(), redact=redact)
    elif facts.provider == "gitlab":
        clock = SystemClock()
        reporter = GitLabReporter(env=env, console=log, files=runner, redact=redact, clock=clock)
    else:
        reporter = LocalReporter(out=out, err=err, redact=redact, quiet=quiet)
    if linked:
        reporter.warn(f"{folder} is a link: neither outputs nor a summary are written")
    return Session(env=env, facts=facts, redact=redact, reporter=reporter, runner=runner, out=out, err=err)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"


def load_file(name: str) -> Loaded:
    """Read deploy.yml; raise ``ConfigFault`` when there is none."""
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigFault(
            f"{name} cannot be read: {error.strerror}",
            hint="run in the folder that holds it, or name it with --config",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigFault(f"{name} is not UTF-8 text") from error
    return load(text, name=name)


def settings_for(values: Values, session: Session) -> Resolved:
    """The settings of the stack and environment that the options name."""
    loaded = load_file(values["config"])
    check_runner(loaded.config, hosted=session.facts.hosted)
    if not values["environment"]:
        known = ", ".join(loaded.config.environments)
        raise UsageFault("no environment was named", hint=f"give --environment with one of: {known}")
    stack = stack_of(values, loaded)
    folder = str(Path(values["config"]).resolve().parent)
    settings = resolve(loaded, stack, values["environment"], folder)
    settings = replace(settings, job_folder=job_folder(session.env))
    session.mask(session.env.get(name, "") for name in settings.settings.evidence.mask_env)
    return settings


def stack_of(values: Values, loaded: Loaded) -> str:
    """The stack that the options name, or the only one; raise ``UsageFault`` when that is not clear."""
    known = tuple(loaded.config.stacks)
    if not values["stack"] and len(known) > 1:
        raise UsageFault("no stack was named", hint=f"give --stack with one of: {', '.join(known)}")
    stack = str(values["stack"]) or known[0]
    if stack not in known:
        near = difflib.get_close_matches(stack, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
        raise UsageFault(f"{loaded.name} has no stack {stack[:60]!r}", hint=hint)
    return stack
