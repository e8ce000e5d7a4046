"""Whatever the text, loading it gives a configuration or a ConfigFault."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.config.load import Loaded, load
from ci_lib.domain.errors import ConfigFault

GOOD: dict[str, Any] = {
    "version": 1,
    "records": {"path": "/srv/records", "host": "web"},
    "hosts": {"web": {"ssh": "a@b", "known_hosts": "k"}, "here": {"local": True}},
    "environments": {
        "staging": {"tier": "staging", "owner": "x", "hosts": ["web"]},
        "production": {
            "tier": "production",
            "owner": "x",
            "hosts": ["here"],
            "requires": {"environment": "staging"},
        },
    },
    "stacks": {
        "shop": {
            "target": "compose",
            "images": {"api": {"repository": "x/y", "services": ["api"]}},
            "checks": [
                {"name": "a", "type": "http", "url": "http://x", "from": "container", "service": "api"}
            ],
            "environments": {"production": {"compose": {"run_dir": "/srv/x"}}},
        },
        "work": {
            "target": "process",
            "images": {"api": {"repository": "builds", "services": ["api"]}},
            "process": {"services": {"api": {"command": ["x"], "env": {"A": "b"}}}},
        },
    },
}
WORDS = st.sampled_from(
    [
        "version",
        "stacks",
        "shop",
        "staging",
        "type",
        "[key]",
        "http",
        "environments",
        "hosts",
        "web",
        "{x}",
        "${stack}",
        "..",
        "/",
        "5s",
        "0s",
        "a\n",
        "\u2028",
        "\ud7ff",
        "1",
        "true",
        "<<",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
YAMLISH = st.text(
    alphabet="abz019 \n\t-:?,[]{}#&*!|>'\"%@`\\~<=.\ufeff\x85\u2028\U0001f600\x00xuU", max_size=60
)


def survives(text: str) -> Loaded | None:
    try:
        return load(text, name="deploy.yml")
    except ConfigFault as fault:
        assert all(line.isprintable() for line in fault.message.split("\n"))  # noqa: PT017
        return None


def paths(value: Any) -> list[tuple[Any, ...]]:
    under = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *path) for key, inner in under for path in paths(inner))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


def test_the_document_that_is_spoilt_below_is_good() -> None:
    assert survives(json.dumps(GOOD)) is not None


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_survived(text: str) -> None:
    survives(text)


@given(YAMLISH)
@settings(max_examples=200, deadline=None)
def test_any_text_made_of_yaml_signs_is_survived(text: str) -> None:
    survives(text)
    survives(json.dumps(GOOD)[:-1] + text)
    survives(f"version: 1\nhosts: {text}")


@given(st.sampled_from(paths(GOOD)), VALUES)
@settings(max_examples=200, deadline=None)
def test_a_good_document_with_any_part_replaced_is_survived(path: tuple[Any, ...], new: Any) -> None:
    survives(json.dumps(replaced(GOOD, path, new)))


@given(st.sampled_from([path for path in paths(GOOD) if path]), WORDS | st.text(max_size=5), VALUES)
@settings(max_examples=200, deadline=None)
def test_a_good_document_with_any_key_added_is_survived(path: tuple[Any, ...], key: str, new: Any) -> None:
    survives(json.dumps(replaced(GOOD, path[:-1], {key: new})))
