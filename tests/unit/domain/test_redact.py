import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.domain.outcome import Failure
from ci_lib.domain.reasons import Verb
from ci_lib.domain.redact import Redactor, secret_values

SECRET = 'p@ss "w/rd"+é'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_masked_in_every_form_in_which_it_travels(form: str) -> None:
    assert form not in Redactor([SECRET])(f"before {form} after")


@pytest.mark.parametrize("user", ["a", "ab", "abc"])
def test_a_password_within_basic_credentials_is_masked_at_any_offset(user: str) -> None:
    encoded = base64.b64encode(f"{user}:correct-horse-battery:x".encode()).decode()
    shown = Redactor(["correct-horse-battery"])(encoded)
    rest = shown.replace("***", "")
    assert len(rest) < len(encoded) - 24


def test_every_line_of_a_private_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBB\nCCCCDDDD\n-----END KEY-----\n"
    shown = Redactor([key])("debug: AAAABBBB\n  CCCCDDDD\n")
    assert shown == "debug: ***\n  ***\n"


def test_overlapping_secrets_leave_no_rest() -> None:
    assert Redactor(["abcdef", "defghi", "abcd"])("x abcdefghi y") == "x *** y"


def test_short_values_are_not_masked() -> None:
    assert Redactor(["abc", "", "  a "])("abc a") == "abc a"


def test_a_secret_learnt_late_is_masked_too() -> None:
    redact = Redactor()
    redact.add(["hunter2"])
    assert redact("is hunter2") == "is ***"


def test_a_colour_in_the_middle_does_not_save_a_secret() -> None:
    assert Redactor(["hunter2"])("hun\x1b[31mter2") == "***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://shop:pw@db:5432/x", "postgres://shop:***@db:5432/x"),
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
        ("Authorization: Basic YTpi", "Authorization: ***"),
        ("-H 'authorization: Bearer abc' https://x", "-H 'authorization: ***' https://x"),
        ("sent bearer abcdefgh123 to it", "sent bearer *** to it"),
        ("POSTGRES_PASSWORD=hunter2 next", "POSTGRES_PASSWORD=*** next"),
        ('password="a b" c', 'password="***" c'),
        ("api-key = 'a b' c", "api-key = '***' c"),
        ('{"db_password": "x y", "n": 1}', '{"db_password": "***", "n": 1}'),
        (r'{"log":"{\"token\": \"x\"}"}', r'{"log":"{\"token\": \"***\"}"}'),
        ('{"access_key": 12345}', '{"access_key": ***}'),
        ("a: 1\n  private_key: abc def\nb: 2", "a: 1\n  private_key: ***\nb: 2"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("password_env: SHOP_PW", "password_env: SHOP_PW"),
        ("POSTGRES_PASSWORD_FILE=/run/secrets/pw", "POSTGRES_PASSWORD_FILE=/run/secrets/pw"),
        ("unexpected token at line 3", "unexpected token at line 3"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert Redactor()(text) == shown
    assert Redactor()(shown) == shown


def test_json_trees_are_masked_by_value_and_by_name() -> None:
    tree = {"a": ["hunter2", 1, None], "password": "x", "password_env": "PW", "b": {"note": "is hunter2"}}
    assert Redactor(["hunter2"]).deep(tree) == {
        "a": ["***", 1, None],
        "password": "***",
        "password_env": "PW",
        "b": {"note": "is ***"},
    }


def test_dataclasses_are_masked_and_keep_their_type() -> None:
    redact = Redactor(["hunter2"])
    assert redact.deep(Failure(step="a", cause="hunter2")) == Failure(step="a", cause="***")
    assert redact.deep((Verb.DEPLOY,))[0] is Verb.DEPLOY


def test_secrets_are_found_by_the_names_of_variables() -> None:
    env = {"DB_PASSWORD": "x1", "GITHUB_TOKEN": "x2", "HOME": "/root"}
    env |= {"TOKEN_FILE": "/run/t", "SECRET_ON": "true"}
    assert secret_values(env) == ("x1", "x2")


@settings(deadline=None)
@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    shown = Redactor([secret])(before + secret + after)
    assert secret not in shown or secret in "***" * 3


@pytest.mark.parametrize("text", ["://" * 200_000, "token" * 100_000, "password=" * 60_000, 'pwd="' * 60_000])
def test_masking_is_linear_in_the_text(text: str) -> None:
    Redactor(["hunter2"])(text)
