"""Signed verifications, a policy, a bound plan and drift, written as the how-to pages tell their readers to.

The steps are the pages' own; what stands here is what they leave to the reader: his names, and what happens
between those steps. It runs on local processes: who signs, and what is asked before a switch, does not hang
on the target.
"""

import re
import subprocess
from pathlib import Path
from textwrap import dedent, indent

from ci_lib.signing.keys import new_key
from tests.contract.test_docs import ROOT, fences
from tests.integration.act_support import Caller
from tests.integration.shop import START

PLAN, SIGN = (ROOT / "docs" / "how-to" / name for name in ("plan.md", "sign-verifications.md"))
STAGING = "tier: staging, owner: team-hello"

SIGNED = """\
on: workflow_dispatch
jobs:
  releases:
    runs-on: ubuntu-latest
    outputs:
      reasons: ${{ steps.strange.outputs.reason-code }} ${{ steps.unsigned.outputs.reason-code }}
    steps:
      - uses: actions/checkout@v4
"""
STRANGE = """\
- uses: org/deploy-actions/deploy@v1
  env: {SIGNING_KEY: "${{ secrets.A_STRANGERS_KEY }}"}
  with: {environment: staging, version: v1}
"""
LATER = """\
  later:
    needs: [plan, production]
    runs-on: ubuntu-latest
    outputs:
      reasons: ${{ steps.stale.outputs.reason-code }} ${{ steps.lost.outputs.reason-code }}
    steps:
      - uses: actions/checkout@v4
"""
AFTER = """\
  after:
    needs: JOB
    runs-on: ubuntu-latest
    steps:
      - run: test "$REASONS" = "WANTED"
        env:
          REASONS: ${{ needs.JOB.outputs.reasons }}
"""


def prepare(caller: Caller) -> None:
    """Make the demo's project one whose staging signs and whose production has a policy."""
    _sign(caller)
    caller.workflow("signed.yml", _signed())
    caller.workflow("plan.yml", _planned())
    caller.workflow("drift.yml")


def _sign(caller: Caller) -> None:
    """A key, `signing:` and a policy, by the steps of the page; `unsigned.yml` is deploy.yml before them."""
    folder = caller.folder
    words = swapped(block(SIGN, "sh", "keys new"), "deploy-actions ", "").split()
    said = subprocess.run([*START, *words], cwd=folder, capture_output=True, text=True, check=True).stdout
    key = folder / "staging.key"
    caller.secrets |= {"SIGNING_KEY": key.read_text(), "A_STRANGERS_KEY": new_key()}
    key.unlink()
    config = (folder / "deploy.yml").read_text()
    (folder / "unsigned.yml").write_text(config)
    signing = cut(block(SIGN, "yaml", "signing:"), r"signing: \{.*\}")
    (folder / "deploy.yml").write_text(swapped(config, STAGING, f"{STAGING}, {signing}"))
    policy = block(SIGN, "yaml", "# policy.yml")
    rest = cut(policy, r"environments:\n  production:\n(?:    .*\n)+")
    keys = "version: 1\nkeys:\n" + said[said.index("  - public_key") :]
    caller.variables["DEPLOY_ACTIONS_POLICY"] = keys + swapped(rest, ", soak: 4h", "")


def _signed() -> str:
    """v1, verified unsigned before, is signed with a stranger's key, and then as the page says; so is v3."""
    first, later = (
        swapped(block(SIGN, "yaml", "/deploy@"), "${{ needs.build.outputs.version }}", version)
        for version in ("v1", "v3")
    )
    promote = swapped(block(SIGN, "yaml", "/promote@"), "${{ needs.staging.outputs.version }}", "v1")
    refused = (named(promote, "unsigned"), STRANGE, named(promote, "strange"))
    steps = indent("".join((*refused, first, promote, later)), " " * 6)
    return SIGNED + steps + after("releases", "not_verified not_verified")


def _planned() -> str:
    """The page's workflow, and a job behind it that comes with the same hash once more, and with none."""
    page = block(PLAN, "yaml", "workflow_dispatch:")
    promote = dedent(cut(page, r" +- uses: org/deploy-actions/promote@v1\n(?: {8}.*\n)+"))
    lost = swapped(promote, "plan.outputs.hash", "plan.outputs.no-such-output")
    steps = named(promote, "stale") + named(lost, "lost")
    return page + LATER + indent(steps, " " * 6) + after("later", "policy usage")


def named(step: str, name: str) -> str:
    """A step that may fail, with a name by which its outputs are read."""
    return f"{step}  id: {name}\n  continue-on-error: true\n"


def after(job: str, wanted: str) -> str:
    """A job that fails unless that one handed on these reasons."""
    return AFTER.replace("JOB", job).replace("WANTED", wanted)


def block(page: Path, kind: str, holds: str) -> str:
    """The first block of a page that holds this text."""
    return next(text for text in fences(page, kind) if holds in text)


def swapped(text: str, old: str, new: str) -> str:
    """The text with the one exchanged for the other, which has to be there."""
    assert old in text, old
    return text.replace(old, new)


def cut(text: str, pattern: str) -> str:
    """What the pattern finds, which has to be there."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return found[0]
