"""``deploy-actions check-config``: every mistake in deploy.yml, or what it comes to."""

from pathlib import Path

from ci_lib.cli.console import Session, Values, load_file, stack_of
from ci_lib.cli.look import Found, look
from ci_lib.cli.papers import check_papers
from ci_lib.config.resolve import resolve
from ci_lib.config.rules import check_runner
from ci_lib.config.show import as_json, render
from ci_lib.domain.reasons import Exit


def run(values: Values) -> Exit:
    """Print one stack and environment with everything filled in; without an environment, only check."""

    def find(session: Session) -> Found:
        loaded = load_file(values["config"])
        check_runner(loaded.config, hosted=session.facts.hosted)
        folder = str(Path(values["config"]).resolve().parent)
        if values["environment"]:
            settings = resolve(loaded, stack_of(values, loaded), values["environment"], folder)
            check_papers(settings)
            return Found(data=as_json(settings), text=render(settings))
        stacks = [stack_of(values, loaded)] if values["stack"] else list(loaded.config.stacks)
        environments = list(loaded.config.environments)
        for stack in stacks:
            for environment in environments:
                check_papers(resolve(loaded, stack, environment, folder))
        text = f"{loaded.name} is valid: {', '.join(stacks)} in {', '.join(environments)}\n"
        return Found(data={"valid": True, "stacks": stacks, "environments": environments}, text=text)

    return look(values, find)
