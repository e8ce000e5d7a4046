"""The command line: built from ``cli/table.py``, one module a command, loaded when it is called."""

import sys
import traceback
from importlib import import_module
from typing import Any, assert_never

import click

from ci_lib.cli.options import Kind, Option, Where
from ci_lib.cli.table import GROUPS, TABLE, Command
from ci_lib.domain.errors import Cancelled
from ci_lib.domain.reasons import Exit
from ci_lib.version import VERSION

_EPILOG = (
    "Exit codes: 0 done; 2 usage or configuration; 3 stopped, nothing changed; 4 a check failed; "
    "10-12 refused; 13 locked; 20 rolled back; 24 needs a person; 70 a defect; 130 cancelled."
)

_UNREAD = 141
"""What a shell reports for a program that wrote on when its reader had left."""

_LARGEST = 1_000_000
"""More seconds, or lines, than anybody means."""


class _Commands(click.Group):
    """The commands of the table whose names begin with ``words``; none is imported before it is called.

    A name of two words, ``database provision``, is a command of a group, which is another such object.
    """

    words: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The next word of each name, in the order of the table."""
        under = [name.removeprefix(self.words) for name in TABLE if name.startswith(self.words)]
        return tuple(dict.fromkeys(name.partition(" ")[0] for name in under))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        del ctx
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command, or the group, of that name."""
        del ctx
        name = self.words + cmd_name
        if name in TABLE:
            return _command(TABLE[name])
        return _group(name) if cmd_name in self.names else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for a slip."""
        if args and args[0] not in self.names and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _group(name: str) -> click.Group:
    made = _Commands(name.rpartition(" ")[2], help=GROUPS[name], short_help=GROUPS[name])
    made.words = f"{name} "
    return made


def _command(spec: Command) -> click.Command:
    def call(**values: Any) -> None:  # noqa: ANN401 - click hands over whatever the table declares
        sys.exit(int(import_module(f"ci_lib.cli.{spec.module}").run(values)))

    params: list[click.Parameter] = [
        _parameter(option) for option in spec.options if option.where is not Where.SECRET
    ]
    epilog = f"Example: {spec.example}"
    word = spec.name.rpartition(" ")[2]
    return click.Command(
        word, callback=call, params=params, help=spec.summary, short_help=spec.summary, epilog=epilog
    )


def _parameter(option: Option) -> click.Option:
    return click.Option(
        [f"--{option.name}", option.name.replace("-", "_")],
        help=option.help,
        metavar=option.metavar or None,
        envvar=option.variable or None,
        **_kind(option),
    )


def _kind(option: Option) -> dict[str, Any]:
    match option.kind:
        case Kind.TEXT:
            return {"default": option.default, "show_default": bool(option.default)}
        case Kind.NUMBER:
            bounds = click.IntRange(min=0, max=_LARGEST)
            return {"type": bounds, "default": int(option.default), "show_default": True}
        case Kind.FLAG:
            return {"is_flag": True, "default": False}
        case Kind.MANY:
            return {"multiple": True}
    assert_never(option.kind)


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.command(cls=_Commands, context_settings=_SETTINGS, epilog=_EPILOG)
@click.version_option(VERSION, prog_name="deploy-actions")
def cli() -> None:
    """Deploy, verify, promote and roll back, with the verified-image rule and evidence."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented exit code."""
    try:
        cli.main(args=arguments, prog_name="deploy-actions", standalone_mode=False)
    except (click.exceptions.Abort, Cancelled):
        sys.exit(int(Exit.CANCELLED))
    except click.ClickException as error:
        error.show()
        sys.exit(int(Exit.USAGE))
    except SystemExit as end:
        # click ends with 1, which is no exit code of ours, when our reader has left: `history | head -1`.
        sys.exit(_UNREAD if end.code == 1 else end.code)
    except Exception:
        # Python itself would end with 1, which is no exit code of ours.
        traceback.print_exc()
        sys.exit(int(Exit.BUG))
    sys.exit(int(Exit.OK))
