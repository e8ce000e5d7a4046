"""Everything that `make docs` writes and no hand does; running this module writes it."""

from collections.abc import Mapping
from pathlib import Path

from ci_lib.cli.table import ACTIONS
from ci_lib.config.reference import reference
from ci_lib.config.schema import text as schema
from tests.contract import gitlab_files
from tests.contract.action_files import action, readme, setup_action
from tests.contract.pages import commands, exit_codes, release_record

ROOT = Path(__file__).parents[2]


def files() -> Mapping[str, str]:
    """Path in the repository → what the file must hold."""
    verbs = {
        f"actions/{command.name}/{name}": make(command)
        for command in ACTIONS
        for name, make in (("action.yml", action), ("README.md", readme))
    }
    return {
        **verbs,
        **gitlab_files.files(),
        "actions/_setup/action.yml": setup_action(),
        "docs/reference/commands.md": commands(),
        "docs/reference/exit-codes.md": exit_codes(),
        "docs/reference/release-record.md": release_record(),
        "docs/reference/deploy-yml.md": reference(),
        "docs/reference/deploy.schema.json": schema(),
    }


def write() -> None:
    """Write every file, and make the links at the root by which GitHub finds the actions."""
    for name, text in files().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.name == "action.yml":
            link = ROOT / path.parent.name
            if not link.is_symlink():
                link.symlink_to(path.parent.relative_to(ROOT))


if __name__ == "__main__":
    write()
