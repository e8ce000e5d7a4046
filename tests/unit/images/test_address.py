import re
from contextlib import suppress

import pytest
from hypothesis import Phase, assume, given, settings
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
    assume(len(repository) < 238 and docker_takes(str(reference)))
    assert Reference.parse(str(reference)) == reference


@given(st.text())
def test_any_text_is_a_reference_that_reads_the_same_or_a_usage_fault(text: str) -> None:
    with suppress(UsageFault):
        assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "Api", "a b", "a:", "a@", "a:b:c/", "a\n", "a@sha256:abc", "-a", "a/../b", "$(id)", "a;b"),
        *("http://a/b", "Acme/api", "LOCALHOST/api", "a..b/c", "a.-b/c", "a-.b/c", "f" * 64, "a" * 238),
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageFault):
        Reference.parse(text)


# github.com/distribution/reference, regexp.go; of digests the one kind that we take.
_COMPONENT = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
_PATH = "[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
GRAMMAR = re.compile(
    rf"({_DOMAIN}/{_PATH}(?:/{_PATH})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(sha256:[0-9a-f]{{64}}))?"
)


def docker_takes(text: str) -> bool:
    """``ParseNormalizedNamed`` of the same package, normalize.go; where versions differ, what all take."""
    if re.fullmatch("[a-f0-9]{64}", text):
        return False
    domain, slash, rest = text.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
        domain, rest = "docker.io", text
    if domain == "index.docker.io":
        domain = "docker.io"
    if domain == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    found = GRAMMAR.fullmatch(f"{domain}/{rest}")
    return found is not None and len(found[1]) <= 255


def taken(text: str) -> bool:
    try:
        Reference.parse(text)
    except UsageFault:
        return False
    return True


ALMOST = st.text(alphabet="aA0.-_:/@[]", max_size=12)


@settings(max_examples=300, phases=(Phase.explicit, Phase.generate))  # to make it smaller takes minutes
@given(ALMOST)
def test_docker_takes_the_same_references(text: str) -> None:
    assert taken(text) == docker_takes(text) or (len(text) > 237 and not taken(text))


@given(st.integers(200, 300), st.sampled_from(["", "a/", "x.io/", "localhost:5000/"]))
def test_docker_takes_every_name_of_the_length_that_is_taken(length: int, start: str) -> None:
    name = (start + "a" * length)[:length]
    assert docker_takes(name) or not taken(name)
