from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.running import Health, Running
from tests.unit.checks.places import Place, instance


def look(*running: Running, one_shot: tuple[str, ...] = ()) -> CheckResult:
    return Place(running=running, one_shot=frozenset(one_shot)).run(type="health")


def test_healthy_containers_and_those_without_a_health_check_pass() -> None:
    result = look(instance("api", Health.HEALTHY), instance("web", Health.NONE))
    assert (result.mark, result.value, result.bound) == (Mark.PASSED, "2 serving", "every container serving")


def test_every_container_that_is_not_well_is_named() -> None:
    result = look(
        instance("api", Health.HEALTHY),
        instance("web", Health.UNHEALTHY),
        instance("worker", Health.STARTING),
        instance("worker", Health.STARTING),
        instance("db", Health.EXITED, 137),
        instance("mq", Health.EXITED),
    )
    assert (result.mark, result.value) == (
        Mark.FAILED,
        "db exited 137, mq exited ?, web unhealthy, worker starting (2 times)",
    )


def test_a_one_shot_service_may_have_ended_well() -> None:
    result = look(
        instance("api", Health.HEALTHY), instance("init", Health.EXITED, 0), one_shot=("init",)
    )
    assert (result.mark, result.value) == (Mark.PASSED, "1 serving, 1 ended as meant")


def test_a_one_shot_service_that_failed_fails_the_check() -> None:
    running = (instance("api", Health.HEALTHY), instance("init", Health.EXITED, 1))
    assert look(*running, one_shot=("init",)).mark is Mark.FAILED


def test_a_service_that_ended_without_being_meant_to_fails_whatever_its_exit_code() -> None:
    assert look(instance("api", Health.HEALTHY), instance("web", Health.EXITED, 0)).mark is Mark.FAILED


def test_nothing_at_all_is_not_well() -> None:
    assert (look().mark, look().value) == (Mark.FAILED, "nothing runs")


def test_work_that_ended_is_not_serving() -> None:
    assert look(instance("init", Health.EXITED, 0), one_shot=("init",)).mark is Mark.FAILED
