import pytest

from ci_lib.ports.wording import last_line, plain_url


def test_the_last_line_that_says_anything_is_the_reason() -> None:
    assert last_line("first\n  second \x07 \n\n  \n") == r"second \x07"
    assert last_line(" \n") == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@shop.example:8443/ready?token=pw#pw", "https://shop.example:8443/ready"),
        ("https://pw@[::1]:80/", "https://[::1]:80/"),
        ("http://user:p@w@shop.example/", "http://shop.example/"),
        ("http://[::1", "the URL"),
        ("http://a/\x1b[31m", r"http://a/\x1b[31m"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert plain_url(url) == shown
