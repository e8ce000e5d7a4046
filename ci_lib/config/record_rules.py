"""Rules for ``records:``: what its keys need, and that every environment finds the same ledger."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import DeployConfig
from ci_lib.config.overlay import PLACEHOLDER
from ci_lib.config.pairs import machine
from ci_lib.config.records import DirectoryRecords, GitRecords
from ci_lib.config.text import instead, quoted

_AT: Path = ("records",)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def broken_records(config: DeployConfig) -> Iterator[Mistake]:
    """Every rule that ``records:`` breaks."""
    records = config.records
    if isinstance(records, GitRecords):
        yield from _git(records)
        return
    yield from _filled(records.path, (*_AT, "path"))
    if "\n" in records.path:
        yield Mistake(path=(*_AT, "path"), text="must be one line")
    yield from _host(records, config)


def _host(records: DirectoryRecords, config: DeployConfig) -> Iterator[Mistake]:
    places = [name for place in config.environments.values() for name in place.hosts]
    machines = {machine(config.hosts[name]) for name in places if name in config.hosts}
    if records.host is None:
        if len(machines) > 1:
            yield Mistake(
                path=(*_AT, "host"),
                text="is missing: environments on different hosts must all find the same records",
            )
        return
    host = config.hosts.get(records.host)
    if host is None:
        meant = instead(records.host, config.hosts, are="the hosts are")
        yield Mistake(path=(*_AT, "host"), text=f"there is no host {quoted(records.host)}, {meant}")
    elif host.ssh and not records.path.startswith("/"):
        text = f"{quoted(records.path)} must be absolute on host {records.host}"
        yield Mistake(path=(*_AT, "path"), text=text)


def _git(records: GitRecords) -> Iterator[Mistake]:
    remote = records.remote or ""
    web, folder = remote.startswith(("http://", "https://")), records.folder is not None
    ssh = bool(remote) and not web and not folder
    yield from _filled(remote, (*_AT, "remote"))
    if remote.startswith("http://") and urlsplit(remote).hostname not in _LOOPBACK:
        yield Mistake(path=(*_AT, "remote"), text="must be https://, or the ledger can be forged on its way")
    if records.branch.endswith(".lock"):
        yield Mistake(path=(*_AT, "branch"), text='git allows no name that ends in ".lock"')
    if records.token_env and (ssh or folder):
        yield Mistake(path=(*_AT, "token_env"), text='needs an https:// "remote"')
    if records.token_env and records.key_env:
        yield Mistake(path=_AT, text='has both "token_env" and "key_env": keep one')
    if "username" in records.model_fields_set and not records.token_env:
        yield Mistake(path=(*_AT, "username"), text='needs "token_env"')
    for key in ("key_env", "known_hosts"):
        if getattr(records, key) and (web or folder):
            text = 'needs an SSH "remote", such as git@github.com:acme/shop.git'
            yield Mistake(path=(*_AT, key), text=text)
    if (ssh or records.key_env) and not records.known_hosts:
        text = 'SSH needs "known_hosts", a file with the host\'s public keys (see ssh-keyscan)'
        yield Mistake(path=_AT, text=text)


def _filled(text: str, path: Path) -> Iterator[Mistake]:
    if PLACEHOLDER.search(text):
        yield Mistake(path=path, text="nothing is filled in here: all stacks share one place for records")
