from ci_lib.domain.outcome import Mark
from ci_lib.ports.protocols import Ran, TimedOut
from tests.unit.checks.places import Place

FACTS = {"DEPLOY_STACK": "shop", "DEPLOY_VERSION": "sha-1"}


def test_a_command_runs_in_a_container_within_its_time() -> None:
    place = Place()
    place.containers.commands["api", "true"] = Ran(code=0)
    result = place.run(type="command", service="api", command=["true", "-x"], timeout="9s")
    assert (result.mark, result.value, result.bound) == (Mark.PASSED, "exit 0", "exit 0")
    assert place.containers.calls == [("api", ("true", "-x"), 9.0)]


def test_the_last_words_of_a_failed_command_are_told() -> None:
    place = Place()
    place.containers.commands["api", "ping"] = Ran(code=3, stdout="a\n", stderr="b\nno route\n")
    assert place.run(type="command", service="api", command=["ping"]).value == "exit 3: no route"


def test_a_script_runs_on_the_runner_in_the_folder_of_deploy_yml_with_the_facts() -> None:
    place = Place()
    place.runner.commands[("./smoke.sh",)] = Ran(code=0)
    assert place.run(FACTS, type="script", command=["./smoke.sh"], timeout="60s").mark is Mark.PASSED
    call = place.runner.calls[0]
    assert (call.cwd, call.env, call.timeout) == ("/checkout", FACTS, 60.0)
    assert place.host.calls == []


def test_a_script_runs_on_the_host_in_the_run_directory_with_the_facts() -> None:
    place = Place()
    place.host.commands[("./smoke.sh",)] = Ran(code=7)
    result = place.run(FACTS, type="script", start="host", command=["./smoke.sh"])
    assert (result.mark, result.value) == (Mark.FAILED, "exit 7")
    assert (place.host.calls[0].cwd, place.host.calls[0].env) == ("/srv/stacks/shop", FACTS)


def test_a_script_that_does_not_end_fails() -> None:
    place = Place()
    place.runner.commands[("./smoke.sh",)] = TimedOut("./smoke.sh did not end within 5 s")
    assert place.run(type="script", command=["./smoke.sh"]).value == "./smoke.sh did not end within 5 s"
