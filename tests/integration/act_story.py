"""The three scenarios of a release, on a Compose stack, as a caller's workflows under act.

The stack is small on purpose: what a health check, a one-shot service or a second image means does not hang
on who calls the command line, and `test_compose.py` tests it.
"""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from tests.integration.act_support import Caller, Ran
from tests.integration.shop import Shop
from tests.lab.images import SOURCES, Hello

GOOD, WRONG = "sha-good", "sha-wrong"

FORCE = """\
on:
  workflow_dispatch:
    inputs:
      good: {type: string, required: true}
      wrong: {type: string, required: true}
jobs:
  production:
    runs-on: ubuntu-latest
    outputs:
      refused: ${{ steps.refused.outputs.reason-code }}
      forced: ${{ steps.forced.outputs.reason-code }}
    steps:
      - uses: actions/checkout@v4
      - uses: org/deploy-actions/deploy@v1
        with: {environment: staging, version: "${{ inputs.good }}"}
      - id: refused
        continue-on-error: true
        uses: org/deploy-actions/promote@v1
        with: {environment: production, version: "${{ inputs.wrong }}"}
      - id: forced
        continue-on-error: true
        uses: org/deploy-actions/promote@v1
        with:
          environment: production
          version: ${{ inputs.wrong }}
          force: ${{ inputs.wrong }}
          reason: the second scenario of the playbook
  after:
    needs: production
    runs-on: ubuntu-latest
    steps:
      - run: test "$REASONS" = "not_verified rolled_back"
        env:
          REASONS: ${{ needs.production.outputs.refused }} ${{ needs.production.outputs.forced }}
"""


DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY hello.sh /hello.sh
EXPOSE 8000
ARG DEPLOY_VERSION
ENV HELLO_BEHAVIOUR=nohealth HELLO_VERSION=$DEPLOY_VERSION
CMD ["/bin/sh", "/hello.sh"]
"""


@dataclass(frozen=True)
class Chapter:
    """One run of a workflow, and the versions that the services themselves name after it."""

    ran: Ran
    staging: str
    production: str


@dataclass(frozen=True)
class Story:
    """All runs, in their order; `version` is the pushed commit's."""

    version: str
    pushed: Chapter
    forced: Chapter
    listed: Chapter
    last_good: Chapter
    by_version: Chapter


@dataclass(frozen=True)
class Stage:
    """A stack whose folder is also the caller's repository, committed, with all images pushed but its own."""

    shop: Shop
    caller: Caller
    version: str

    @classmethod
    def prepare(cls, folder: Path, project: str, hello: Hello, cache: Path) -> Self:
        """Make the folder. Not for two threads at once: both push, under the same names."""
        ready = {
            "name": "ready",
            "type": "http",
            "from": "container",
            "service": "nginx",
            "url": "http://nginx:8000/ready",
            "json_field": "status",
            "equals": "ok",
        }
        built = {
            "repository": hello.reference("acme/web"),
            "services": ["nginx"],
            "build": {"context": "app", "builder": "classic", "args_env": ["DEPLOY_VERSION"]},
        }
        stack = {"checks": [ready], "images": {"web": built}}
        shop = Shop(folder=folder, project=project, hello=hello, small=True, stack=stack)
        (folder / ".gitignore").write_text("srv/\n")
        (folder / "app").mkdir()
        (folder / "app" / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(SOURCES / "hello" / "hello.sh", folder / "app")
        shutil.copy(str(shutil.which("busybox")), folder / "app" / "busybox")
        caller = Caller(folder=folder, cache=cache)
        caller.workflow("cd.yml")
        caller.workflow("force.yml", FORCE)
        caller.workflow("rollback.yml")
        version = f"sha-{caller.commit()}"
        shop.release(GOOD)
        hello.push("acme/web", tag=WRONG, behaviour="crashloop")
        return cls(shop=shop, caller=caller, version=version)

    def play(self, release: Path) -> Story:
        """Run the workflows one after the other; each has to end well."""
        dispatched = partial(self._chapter, release, event="workflow_dispatch")
        rollback = partial(dispatched, "rollback.yml", environment="staging")
        return Story(
            version=self.version,
            pushed=self._chapter(release, "cd.yml"),
            forced=dispatched("force.yml", good=GOOD, wrong=WRONG),
            listed=rollback(list="true"),
            last_good=rollback(last_good="true"),
            by_version=rollback(version=GOOD),
        )

    def _chapter(self, release: Path, workflow: str, event: str = "push", **inputs: str) -> Chapter:
        ran = self.caller.act(release, workflow, event, **inputs)
        assert ran.code == 0, str(ran)
        return Chapter(ran, self._serves("staging"), self._serves("production"))

    def _serves(self, environment: str) -> str:
        return self.shop.version(environment, "nginx").removeprefix("web-")
