"""What `actions/<verb>/` holds, as text made from the table: action.yml and its README."""

import json
import shlex

from ci_lib.cli.options import Kind, Option, Where
from ci_lib.cli.table import Command
from tests.contract.markdown import cell, default_of, table

UPLOAD = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2"
SETUP_SUMMARY = "Install the locked dependencies of deploy-actions; every action does so itself when needed."

_HEAD = "# Written by `make docs` from ci_lib/cli/table.py; a contract test holds the two equal.\n"
_KEPT = "The evidence is kept as the artifact `evidence-name`, also when the step failed.\n"
_FOOT = """\
[Exit codes](../../docs/reference/exit-codes.md) · [deploy.yml](../../docs/reference/deploy-yml.md)
"""
_KEEP = f"""\
    - name: Keep the evidence
      if: always() && steps.run.outputs.evidence-path != ''
      # What was done is done: the colour of the job does not hang on the artifact store.
      continue-on-error: true
      uses: {UPLOAD}
      with:
        name: ${{{{ steps.run.outputs.evidence-name }}}}
        path: ${{{{ steps.run.outputs.evidence-path }}}}
        include-hidden-files: true
"""
_START = """\
root="$GITHUB_ACTION_PATH"
while [[ -n $root && ! -f $root/pyproject.toml ]]; do root="${root%/*}"; done
exec bash "$root/actions/_setup/start.sh" """


def inputs(command: Command) -> tuple[Option, ...]:
    """The options that the verb's action has as inputs."""
    return tuple(option for option in command.options if option.where is not Where.TERMINAL)


def description(option: Option) -> str:
    """What the input is for; an input is one text, so several values share it."""
    return option.help + (" Several are separated by white space." if option.kind is Kind.MANY else "")


def default(option: Option) -> str:
    """The input's default."""
    return "false" if option.kind is Kind.FLAG else option.default


def action(command: Command) -> str:
    """The action.yml of a verb, or of another command that has an action."""
    lines = [f"name: deploy-actions {command.name}", f"description: {_text(command.summary)}", "inputs:"]
    for option in inputs(command):
        lines += [f"  {option.name}:", f"    description: {_text(description(option))}"]
        lines.append("    required: true" if option.required else f"    default: {_text(default(option))}")
    lines += ["outputs:"] if command.outputs else []
    for output in command.outputs:
        lines += [f"  {output.name}:", f"    description: {_text(output.help)}"]
        lines.append(f"    value: ${{{{ steps.run.outputs.{output.name} }}}}")
    env = [f"        {_variable(option)}: ${{{{ {_value(option)} }}}}" for option in inputs(command)]
    gates = [_flag(option) for option in inputs(command) if option.where is Where.GATE]
    call = [command.name, *gates]
    lines += _step(command.name.capitalize(), call, env)
    return _HEAD + "\n".join(lines) + "\n" + (_KEEP if _leaves_evidence(command) else "")


def setup_action() -> str:
    """The action.yml of `_setup`: it starts the package once, for which the dependencies are installed."""
    lines = ["name: deploy-actions _setup", f"description: {_text(SETUP_SUMMARY)}"]
    lines += _step("Install", ["--version"], [])
    return _HEAD + "\n".join(lines) + "\n"


def readme(command: Command) -> str:
    """The README of that action."""
    rows = [
        (f"`{option.name}`", default_of(option, default(option)), cell(description(option)))
        for option in inputs(command)
    ]
    outputs = table(
        ("output", "meaning"), [(f"`{output.name}`", cell(output.help)) for output in command.outputs]
    )
    parts = [
        f"# {command.name}\n",
        f"<!-- Written by `make docs` from ci_lib/cli/table.py. -->\n\n{command.summary}\n",
        f"```yaml\n{_example(command)}```\n",
        "Write the full SHA of a release in place of `v1`, and its version behind it as a comment.\n",
        "## Inputs\n\n" + table(("input", "default", "meaning"), rows),
        *(["## Outputs\n\n" + outputs] if command.outputs else []),
        (_KEPT if _leaves_evidence(command) else "") + _FOOT,
    ]
    return "\n".join(parts)


def _leaves_evidence(command: Command) -> bool:
    return "evidence-path" in [output.name for output in command.outputs]


def _step(name: str, call: list[str], env: list[str]) -> list[str]:
    lines = ["runs:", "  using: composite", "  steps:"]
    lines += [f"    - name: {name}", "      id: run", "      shell: bash"]
    if env:
        lines += ["      env:", *env]
    script = _START + " \\\n  ".join(call)
    return [*lines, "      run: |", *(f"        {line}" for line in script.splitlines())]


def _variable(option: Option) -> str:
    """A gate's value gets a name that the command line does not read: the flag alone opens it."""
    return option.variable or option.name.upper().replace("-", "_")


def _value(option: Option) -> str:
    if option.where is Where.GATE and option.kind is Kind.FLAG:
        return f"inputs.{option.name} == 'true' && 'true' || ''"
    return f"inputs.{option.name}"


def _flag(option: Option) -> str:
    name = _variable(option)
    flag = f"--{option.name}" if option.kind is Kind.FLAG else f'"--{option.name}=${name}"'
    return f"${{{name}:+{flag}}}"


def _example(command: Command) -> str:
    words = shlex.split(command.example)[2:]
    given: dict[str, str] = {}
    for word in words:
        if word.startswith("--"):
            given[word[2:]] = "true"
        else:
            given[next(reversed(given))] = word
    lines = "".join(f"    {name}: {value}\n" for name, value in given.items())
    return f"- uses: org/deploy-actions/{command.name}@v1\n  with:\n{lines}"


def _text(text: str) -> str:
    """A YAML scalar; JSON's is one."""
    return json.dumps(text, ensure_ascii=False)
