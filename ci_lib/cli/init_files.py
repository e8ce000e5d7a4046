"""The files that callers copy, filled in with a project's names."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci_lib.cli.init_names import Names
from ci_lib.cli.table import TABLE

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "callers", _PACKAGE.parent / "templates")
"""In an installed package, and in a checkout."""

STARTER = "deploy.yml"
ROOT_FILE = ".gitlab-ci.yml"
INCLUDED = ".gitlab/deploy-actions.yml"

_COPY = "org/deploy-actions"
_MARK = " # zizmor: ignore[unpinned-uses]"
_USES = re.compile(r"^ +uses: org/deploy-actions/([\w-]+)@v1.*\n +with:\n( +)", re.MULTILINE)
_GITLAB = re.compile(
    r"^ +file: /templates/\.gitlab-ci/([\w-]+)\.yml\n(?: +.*\n)*? +inputs:\n( +)", re.MULTILINE
)
TOKEN = "GITHUB_TOKEN"  # noqa: S105 - a name
"""What GitHub makes a secret of in each job by itself, with what its workflow permits."""

_KEY = re.compile(r"^( *)DEPLOY_SSH_KEY: (\$\{\{ secrets\.|\$)(DEPLOY|PLAN)_SSH_KEY( \}\}|)\n", re.MULTILINE)
_EMPTY = re.compile(r"^( +)(?:env|variables):\n(?!\1 )", re.MULTILINE)
_ENVIRONMENT = re.compile(
    r"(environment: |staging: |production: |group: [\w-]+-)(staging|production)(-look)?(?=$| #)"
)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def starter() -> str:
    """A deploy.yml to begin with."""
    return _read("starter/deploy.yml")


def github(names: Names) -> Mapping[str, str]:
    """Path in the project → what a workflow holds."""
    folder = _folder() / ".github"
    texts = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.yml"))}
    return {f".github/workflows/{name}": _pinned(_filled(text, names), names) for name, text in texts.items()}


def gitlab(names: Names) -> Mapping[str, str]:
    """The same for GitLab: the file that GitLab reads, and the one that it includes."""
    root = _filled(_read(".gitlab/.gitlab-ci.yml"), names)
    given = {"lint-test": names.gate, "build": names.builds}
    root += "".join(f"      {name}: false\n" for name, there in given.items() if not there)
    included = _filled(_read(".gitlab/deploy-actions.yml"), names)
    included = included.replace(_COPY, names.library)
    included = re.sub(r"((?:library-)?ref: )v[0-9.]+$", rf"\g<1>{names.ref}", included, flags=re.MULTILINE)
    return {ROOT_FILE: root, INCLUDED: included}


def _filled(text: str, names: Names) -> str:
    """The text with stack, secrets and environments in the places of the samples."""
    for pattern in (_USES, _GITLAB) if names.stack else ():
        text = pattern.sub(lambda found: _with_stack(found, names), text)
    text = _EMPTY.sub("", _KEY.sub(lambda found: "".join(_key_lines(found, names)), text))
    return "\n".join(_placed(line, names) for line in text.split("\n"))


def _with_stack(found: re.Match[str], names: Names) -> str:
    takes = found[1] == "pipeline" or "stack" in {option.name for option in TABLE[found[1]].options}
    return f"{found[0]}stack: {_plain(names.stack)}\n{found[2]}" if takes else found[0]


def _key_lines(found: re.Match[str], names: Names) -> Iterator[str]:
    for name in names.secrets:
        held = name if found[3] == "DEPLOY" or name == TOKEN else f"PLAN_{name.removeprefix('DEPLOY_')}"
        yield f"{found[1]}{name}: {found[2]}{held}{found[4]}\n"


def _placed(line: str, names: Names) -> str:
    own = {"staging": names.staging, "production": names.production}
    if "options: [production, staging]" in line:
        return line.replace("production, staging", f"{_plain(names.production)}, {_plain(names.staging)}")
    return _ENVIRONMENT.sub(
        lambda found: found[1] + _plain(f"{own[found[2]]}{found[3] or ''}", found[1]), line
    )


def _plain(name: str, before: str = "") -> str:
    """The name as YAML takes it for a text: `on` and `1` would be something else."""
    plain = name[0].isalpha() and name not in _WORDS
    return name if plain or before.startswith("group") else f'"{name}"'


def _pinned(text: str, names: Names) -> str:
    """The actions of the team's own copy; a commit needs no excuse for the linter."""
    after = f"@{names.ref}" + (_MARK if len(names.ref) < 40 else "")
    uses = re.compile(rf"uses: {_COPY}/([\w-]+)@v1{re.escape(_MARK)}")
    return uses.sub(lambda found: f"uses: {names.library}/{found[1]}{after}", text)


def _folder() -> Path:
    return next(place for place in _PLACES if place.is_dir())


def _read(name: str) -> str:
    return (_folder() / name).read_text("utf-8")
