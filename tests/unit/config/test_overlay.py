from typing import Any

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from ci_lib.config.checks import HttpCheck
from ci_lib.config.models import Stack, StackSettings
from ci_lib.config.overlay import fill, fill_text, overlay, settings_of

WORDS = st.sampled_from(["a", "b", "{stack}", "x-{environment}"])
SERVICES = st.dictionaries(
    st.sampled_from(["web", "api"]),
    st.fixed_dictionaries({}, optional={"command": st.lists(WORDS, max_size=2), "env": st.just({"A": "b"})}),
)
CHECKS = st.lists(
    st.builds(lambda name: {"name": name, "type": "health"}, st.sampled_from(["a", "b"])), max_size=2
)
LAYERS = st.fixed_dictionaries(
    {},
    optional={
        "compose": st.fixed_dictionaries(
            {}, optional={"source": WORDS, "run_dir": WORDS, "settle": st.just("9s")}
        ),
        "process": st.fixed_dictionaries({}, optional={"run_dir": WORDS, "services": SERVICES}),
        "checks": CHECKS,
        "history_name": WORDS,
        "backup": st.fixed_dictionaries({}, optional={"keep": st.integers(1, 9)}),
    },
).map(StackSettings.model_validate)


def settings(**written: Any) -> StackSettings:
    return StackSettings.model_validate(written)


def test_only_the_keys_that_are_written_count() -> None:
    base = settings(compose={"source": "a", "project": "p"}, history_name="n")
    both = overlay(base, settings(compose={"source": "b"}))
    assert both.compose.source == "b"
    assert both.compose.project == "p"
    assert both.history_name == "n"


def test_a_default_that_is_written_counts_as_well() -> None:
    both = overlay(settings(backup={"enabled": True}), settings(backup={"enabled": False}))
    assert both.backup.enabled is False


def test_lists_are_replaced_whole() -> None:
    base = settings(checks=[{"name": "a", "type": "health"}], compose={"one_shot": ["x", "y"]})
    both = overlay(base, settings(checks=[], compose={"one_shot": ["z"]}))
    assert both.checks == ()
    assert both.compose.one_shot == ("z",)


def test_mappings_are_merged_key_by_key() -> None:
    base = settings(process={"services": {"web": {"command": ["x"], "env": {"A": "1", "B": "2"}}}})
    both = overlay(
        base, settings(process={"services": {"web": {"env": {"B": "3"}}, "api": {"command": ["y"]}}})
    )
    assert both.process.services["web"].command == ("x",)
    assert both.process.services["web"].env == {"A": "1", "B": "3"}
    assert both.process.services["api"].command == ("y",)


@given(LAYERS)
@run(deadline=None)
def test_laying_nothing_over_changes_nothing(layer: StackSettings) -> None:
    assert overlay(layer, StackSettings()) == layer
    assert overlay(StackSettings(), layer) == layer


@given(LAYERS)
@run(deadline=None)
def test_laying_the_same_over_changes_nothing(layer: StackSettings) -> None:
    assert overlay(layer, layer) == layer


@given(LAYERS, LAYERS, LAYERS)
@run(deadline=None)
def test_it_does_not_matter_which_layers_are_joined_first(
    a: StackSettings, b: StackSettings, c: StackSettings
) -> None:
    assert overlay(overlay(a, b), c) == overlay(a, overlay(b, c))


@given(LAYERS)
@run(deadline=None)
def test_filling_in_twice_is_filling_in_once(layer: StackSettings) -> None:
    once = fill(layer, stack="shop", environment="prod")
    assert fill(once, stack="shop", environment="prod") == once
    assert "{stack}" not in str(once.compose)


def test_placeholders_are_filled_in_at_every_depth() -> None:
    base = settings(
        checks=[
            {"name": "a", "type": "http", "url": "http://{stack}.{environment}/x", "header": {"X": "{stack}"}}
        ],
        hooks={"before_switch": [["echo", "{environment}"]]},
    )
    filled = fill(base, stack="shop", environment="prod")
    (check,) = filled.checks
    assert isinstance(check, HttpCheck)
    assert check.url == "http://shop.prod/x"
    assert check.header == {"X": "shop"}
    assert filled.hooks.before_switch == (("echo", "prod"),)
    assert filled.compose.run_dir == "/srv/stacks/shop-prod"


def test_a_check_keeps_where_it_looks_from() -> None:
    base = settings(checks=[{"name": "a", "type": "http", "url": "http://x", "from": "host"}])
    (check,) = fill(base, stack="s", environment="e").checks
    assert isinstance(check, HttpCheck)
    assert check.from_ == "host"


def test_other_braces_are_left_alone() -> None:
    for text in ('{"a": 1}', "${stack}", "{}", "{Stack}", "{stack }", "{{.ID}}", "%{http_code}"):
        assert fill_text(text, stack="shop", environment="prod") == text


def test_a_stack_keeps_its_settings_in_an_environment_that_it_does_not_mention() -> None:
    stack = Stack.model_validate(
        {
            "target": "compose",
            "images": {"a": {"repository": "x/y", "services": ["s"]}},
            "history_name": "n",
            "environments": {"staging": {"history_env": "stg"}},
        }
    )
    assert settings_of(stack, "production") == settings(history_name="n")
    assert settings_of(stack, "staging") == settings(history_name="n", history_env="stg")
