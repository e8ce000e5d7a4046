from ci_lib.domain.differences import Difference, How, compared, fingerprints, named


def test_what_was_added_changed_and_removed_is_told_in_the_order_of_the_names() -> None:
    assert compared({"b": "1", "c": "1", "same": "1"}, {"a": "1", "b": "2", "same": "1"}) == (
        Difference(name="a", how=How.ADDED),
        Difference(name="b", how=How.CHANGED),
        Difference(name="c", how=How.REMOVED),
    )


def test_a_setting_is_known_by_its_name_and_a_hash_and_never_by_its_value() -> None:
    environment = {"PASSWORD": "hunter2", "EMPTY": None}
    config = {"environment": environment, "ports": [80], "labels": {}, "image": "x"}
    found = fingerprints("api", config, without=("image",))
    assert list(found) == ["api.environment.PASSWORD", "api.environment.EMPTY", "api.ports", "api.labels"]
    assert "hunter2" not in str(found)
    assert all(len(value) == 64 for value in found.values())


def test_the_order_in_a_mapping_is_no_difference_and_that_of_a_list_is_one() -> None:
    one = fingerprints("api", {"deploy": {"x": {"a": 1, "b": 2}}, "command": ["a", "b"]})
    two = fingerprints("api", {"command": ["b", "a"], "deploy": {"x": {"b": 2, "a": 1}}})
    assert [item.name for item in compared(one, two)] == ["api.command"]


def test_no_two_settings_share_a_name() -> None:
    assert named("a.b", "c") == '"a.b".c'
    assert len({named("a.b", "c"), named("a", "b.c"), named("a", "b", "c"), named('a"."b', "c")}) == 4
