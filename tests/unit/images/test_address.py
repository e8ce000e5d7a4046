from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference
from ci_lib.images.address import address_of, is_loopback


@pytest.mark.parametrize(
    ("repository", "api", "full"),
    [
        ("nginx", "https://registry-1.docker.io", "docker.io/library/nginx"),
        ("acme/api", "https://registry-1.docker.io", "docker.io/acme/api"),
        ("docker.io/nginx", "https://registry-1.docker.io", "docker.io/library/nginx"),
        ("index.docker.io/acme/api", "https://registry-1.docker.io", "docker.io/acme/api"),
        ("ghcr.io/acme/api", "https://ghcr.io", "ghcr.io/acme/api"),
        ("registry:5000/api", "https://registry:5000", "registry:5000/api"),
        ("localhost/api", "http://localhost", "localhost/api"),
        ("localhost:5000/a/b", "http://localhost:5000", "localhost:5000/a/b"),
        ("127.0.0.1:5000/api", "http://127.0.0.1:5000", "127.0.0.1:5000/api"),
        ("127.9.9.9/api", "http://127.9.9.9", "127.9.9.9/api"),
        ("[::1]:5000/api", "http://[::1]:5000", "[::1]:5000/api"),
        ("[2001:db8::1]/api", "https://[2001:db8::1]", "[2001:db8::1]/api"),
        ("10.0.0.1:5000/api", "https://10.0.0.1:5000", "10.0.0.1:5000/api"),
        ("127.0.0.1.evil.example/api", "https://127.0.0.1.evil.example", "127.0.0.1.evil.example/api"),
        ("localhost.evil.example/api", "https://localhost.evil.example", "localhost.evil.example/api"),
    ],
)
def test_a_repository_has_one_registry_and_one_spelling(repository: str, api: str, full: str) -> None:
    found = address_of(repository)
    assert (found.api, found.full) == (api, full)


@pytest.mark.parametrize("name", ["127.1", "0.0.0.0", "", "::", "localhost.", "LOCALHOST", "128.0.0.1"])
def test_what_only_looks_like_loopback_is_not(name: str) -> None:
    assert not is_loopback(name)


HOSTS = st.sampled_from(["", "ghcr.io/", "localhost:5000/", "127.0.0.1:5/", "[::1]:5000/", "Reg-1.example/"])
PARTS = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", fullmatch=True)
REPOSITORIES = st.builds(
    lambda host, parts: host + "/".join(parts), HOSTS, st.lists(PARTS, min_size=1, max_size=4)
)
TAGS = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
DIGESTS = st.just("") | st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(REPOSITORIES, TAGS, DIGESTS)
def test_a_reference_survives_being_written_and_read(repository: str, tag: str, digest: str) -> None:
    reference = Reference(repository=repository, tag=tag, digest=digest)
    assert Reference.parse(str(reference)) == reference


@given(st.text())
def test_any_text_is_a_reference_that_reads_the_same_or_a_usage_fault(text: str) -> None:
    with suppress(UsageFault):
        assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "Api", "a b", "a:", "a@", "a:b:c/", "a\n", "a@sha256:abc", "-a", "a/../b", "$(id)", "a;b", "http://a/b"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageFault):
        Reference.parse(text)
