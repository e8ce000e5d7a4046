"""Rules for what a stack's ``release:`` comes to in one environment."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date

from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.models import Stack, StackSettings
from ci_lib.config.release import ReleaseRules, Setting
from ci_lib.config.text import clean, near, quoted

At = Callable[..., Path]
"""Keys of a setting → where the file has them: with the environment, or with the stack."""


def broken_release(settings: StackSettings, stack: Stack, at: At) -> Iterator[Mistake]:
    """Every rule that the settings break; ``at`` says where they are written."""
    rules = settings.release
    yield from _needs(rules, at)
    yield from _patterns(rules.links, at("release", "links"))
    yield from _one_folder(rules, stack, at("release", "record"))
    here = at("release", "settings")
    seen: set[tuple[str, str]] = set()
    for number, setting in enumerate(rules.settings):
        path = (*here, number)
        yield from _setting(setting, path)
        if (setting.name, setting.from_) in seen:
            yield Mistake(path=(*path, "name"), text=f"{setting.name} from {setting.from_} stands here twice")
        seen.add((setting.name, setting.from_))
        if stack.target == "process" and setting.from_ == "host":
            yield from _of_processes(setting, settings, path)


def _needs(rules: ReleaseRules, at: At) -> Iterator[Mistake]:
    """Keys that mean nothing without another one."""
    for key in ("links", "questions"):
        if getattr(rules, key) and not rules.draft:
            text = 'needs "draft", the file in which it is looked for'
            yield Mistake(path=at("release", key), text=text)
    if rules.template and not rules.record:
        yield Mistake(path=at("release", "template"), text='needs "record", the folder to write to')


def _patterns(patterns: Iterable[str], path: Path) -> Iterator[Mistake]:
    for number, pattern in enumerate(patterns):
        if wrong := _bad_pattern(pattern):
            yield Mistake(path=(*path, number), text=wrong)


def _bad_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"{quoted(pattern)} is not a regular expression: {clean(str(error), 100)}"
    return ""


def _one_folder(rules: ReleaseRules, stack: Stack, path: Path) -> Iterator[Mistake]:
    """Records among the stack's files are left out of them, which only works for one's own."""
    source = stack.compose.source.strip("/").removeprefix("./")
    inside = source in ("", ".") or f"{rules.record}/".startswith(f"{source}/")
    if stack.target == "compose" and rules.record and inside and "environments" in path:
        text = f'{quoted(rules.record)} is inside "compose.source": write it with the stack, '
        yield Mistake(path=path, text=text + "or other environments take the records for their files")


def _setting(setting: Setting, path: Path) -> Iterator[Mistake]:
    if wrong := _bad_pattern(setting.pattern):
        yield Mistake(path=(*path, "pattern"), text=wrong)
    if "" in setting.forbidden:
        yield Mistake(path=(*path, "forbidden"), text="every value holds an empty text")
    if setting.expires and not _is_day(setting.expires):
        yield Mistake(path=(*path, "expires"), text=f"{quoted(setting.expires)} is not in the calendar")
    if setting.expires and setting.expires_in:
        yield Mistake(path=path, text='has both "expires" and "expires_in": keep one')
    if "warn_before" in setting.model_fields_set and not (setting.expires or setting.expires_in):
        yield Mistake(path=(*path, "warn_before"), text='needs "expires" or "expires_in"')


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_processes(setting: Setting, settings: StackSettings, path: Path) -> Iterator[Mistake]:
    """A process gets what its ``env`` says; other variables can only be asked of the runner."""
    known = {name for service in settings.process.services.values() for name in service.env}
    wanted = {"name": setting.name} | ({"expires_in": setting.expires_in} if setting.expires_in else {})
    for key, name in wanted.items():
        if name not in known:
            guess = near(name, known)
            meant = f", did you mean {quoted(guess)}?" if guess else ': write "from: runner"'
            text = f"no process has {quoted(name)} in its env, and there is no .env{meant}"
            yield Mistake(path=(*path, key), text=text)
