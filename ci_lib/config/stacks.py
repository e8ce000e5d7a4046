"""Rules within one stack, as it is written: its images, and its settings on each layer."""

import re
from collections.abc import Iterator
from posixpath import normpath

from ci_lib.config.builds import broken_builds
from ci_lib.config.checks import (
    Check,
    CommandCheck,
    DatabaseCheck,
    HttpCheck,
    IsolationCheck,
    RestoreTestCheck,
    TcpCheck,
)
from ci_lib.config.databases import broken_databases
from ci_lib.config.migration_rules import broken_migration
from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import Stack, StackSettings
from ci_lib.config.overlay import PLACEHOLDER, fill_text
from ci_lib.config.servers import broken_servers
from ci_lib.config.text import quoted
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference

_BRACES = re.compile(r"\$?\{[A-Za-z_][A-Za-z0-9_]*\}")
_PROJECT = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*")
"""What Compose takes and what can be part of an image's name, since our keep-tags are named by it."""
_HISTORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def broken_stack(stack: Stack, path: Path) -> Iterator[Mistake]:
    """Every rule that the stack breaks by itself, whatever its environment."""
    yield from _images(stack, path)
    yield from broken_builds(stack, (*path, "images"))
    layers: dict[Path, StackSettings] = {path: stack}
    layers |= {(*path, "environments", name): layer for name, layer in stack.environments.items()}
    for under, layer in layers.items():
        yield from _texts(layer, under)
        yield from broken_databases(layer.backup, (*under, "backup"))
        if layer.migration:
            yield from broken_migration(layer.migration, stack, (*under, "migration"))
        other = "process" if stack.target == "compose" else "compose"
        if other in layer.model_fields_set:
            yield Mistake(path=(*under, other), text=f"has no effect: the target is {quoted(stack.target)}")
        if stack.target == "process" and layer.provision:
            text = 'works in containers, and the target "process" has none'
            yield Mistake(path=(*under, "provision"), text=text)
        yield from broken_servers(layer.provision, (*under, "provision"))
        for key in ("checks", "verify"):
            for at, check in enumerate(getattr(layer, key)):
                yield from _check(check, stack.target, (*under, key, at))


def _images(stack: Stack, path: Path) -> Iterator[Mistake]:
    owners: dict[str, str] = {}
    for name, image in stack.images.items():
        below = (*path, "images", name)
        for at, service in enumerate(image.services):
            if service in owners:
                text = f"service {quoted(service)} runs image {owners[service]} already"
                yield Mistake(path=(*below, "services", at), text=text)
            owners.setdefault(service, name)
        if stack.target == "compose" and not _plain_repository(image.repository):
            text = f"{quoted(image.repository)} is not a repository: "
            text += "write registry/path/name, without tag or digest"
            yield Mistake(path=(*below, "repository"), text=text)


def _plain_repository(text: str) -> bool:
    try:
        return Reference.parse(text).repository == text
    except UsageFault:
        return False


def _texts(layer: StackSettings, path: Path) -> Iterator[Mistake]:
    """Rules for paths and names, of which only the written ones are looked at."""
    for under, text in _written(layer):
        wrong = _placeholder(text) or _text(under, fill_text(text, stack="x", environment="x"))
        if wrong:
            yield Mistake(path=(*path, *under), text=wrong)


def _written(layer: StackSettings) -> Iterator[tuple[Path, str]]:
    """The written paths and names of a layer, and where they stand in it."""
    for section, key in (
        ("compose", "source"),
        ("compose", "run_dir"),
        ("compose", "project"),
        ("process", "run_dir"),
        ("backup", "path"),
        ("release", "draft"),
        ("release", "record"),
        ("release", "template"),
    ):
        settings = getattr(layer, section)
        if key in settings.model_fields_set:
            yield (section, key), getattr(settings, key)
    if "files" in layer.compose.model_fields_set:
        yield from ((("compose", "files", at), file) for at, file in enumerate(layer.compose.files))
    for key in ("history_name", "history_env"):
        if text := getattr(layer, key):
            yield (key,), text


def _placeholder(text: str) -> str:
    """What is wrong with something in braces that is never filled in, if there is such a thing."""
    for found in _BRACES.finditer(text):
        if not PLACEHOLDER.fullmatch(found[0]):
            return f"{quoted(found[0])} is not filled in: only {{stack}} and {{environment}} are"
    return ""


def _text(under: Path, text: str) -> str:
    """What is wrong with a path or name whose placeholders are filled in, if anything is."""
    if not text and under[0] == "release":
        return ""  # an environment may do without
    if not text or "\n" in text:
        return "must be one line, and not empty"
    match under:
        case ("compose", "source"):
            leaves = ".." in text.split("/")
            return f'{quoted(text)} must not leave deploy.yml\'s folder with ".."' if leaves else ""
        case ("release", _):
            return _in_checkout(text)
        case ("compose", "files", _):
            return _inside(text)
        case ("compose", "run_dir") | ("backup", "path"):
            return _on_host(text)
        case ("compose", "project") if not _PROJECT.fullmatch(text):
            return 'use lower-case letters, digits, "-" and "_", and begin and end with a letter or digit'
        case ("history_name",) | ("history_env",) if not _HISTORY.fullmatch(text):
            return 'use letters, digits, ".", "-" and "_", 63 at most, and begin with a letter or digit'
    return ""


def _inside(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        return f'{quoted(text)} must be a path inside "source", without ".."'
    return ""


def _in_checkout(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/") or normpath(text) == ".":
        return f'{quoted(text)} must be a path below deploy.yml\'s folder, without ".."'
    return ""


def _on_host(text: str) -> str:
    if not text.startswith("/") or ".." in text.split("/") or normpath(text) in ("/", "//"):
        return f'{quoted(text)} must be an absolute path below "/", without ".."'
    return ""


def _check(check: Check, target: str, path: Path) -> Iterator[Mistake]:
    looks = check.from_ if isinstance(check, HttpCheck | TcpCheck | DatabaseCheck) else ""
    inside = looks == "container" or isinstance(check, CommandCheck | IsolationCheck)
    if target == "process" and inside:
        yield Mistake(path=path, text='looks into a container, and the target "process" has none')
    elif target == "process" and isinstance(check, RestoreTestCheck):
        yield Mistake(path=path, text='needs backups, and the target "process" has none')
    elif looks == "container" and not getattr(check, "service", None):
        yield Mistake(path=path, text='"from: container" needs "service"')
    if isinstance(check, HttpCheck) and check.equals is not None and check.json_field is None:
        yield Mistake(path=(*path, "equals"), text='needs "json_field", the field to compare')
