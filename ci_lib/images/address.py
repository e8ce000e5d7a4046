"""Where a repository lives: its registry, the address to ask there, and one spelling for each repository."""

import ipaddress
from dataclasses import dataclass

HUB = "docker.io"
_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A repository as its registry knows it: ``host`` (with port, if any) and ``path``."""

    host: str
    path: str

    @property
    def loopback(self) -> bool:
        """Whether the registry is this very machine; only then is plain HTTP used."""
        return is_loopback(host_name(self.host))

    @property
    def api(self) -> str:
        """The start of every URL of the registry."""
        return f"{'http' if self.loopback else 'https'}://{_HUB_API if self.host == HUB else self.host}"

    @property
    def full(self) -> str:
        """The one spelling by which two repositories are compared."""
        return f"{self.host}/{self.path}"


def address_of(repository: str) -> Address:
    """Find registry and path, as Docker does.

    Without a registry it is Docker Hub, where names of a single part belong to ``library/``.
    The first part is a registry if it has a dot or a colon or is ``localhost``
    (github.com/distribution/reference, ``splitDockerDomain``).
    """
    first, slash, rest = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, path = first, rest
    else:
        host, path = HUB, repository
    if host in _HUB_NAMES:
        return Address(host=HUB, path=path if "/" in path else f"library/{path}")
    return Address(host=host, path=path)


def host_name(authority: str) -> str:
    """``host:port`` or ``[address]:port`` without port and brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def is_loopback(name: str) -> bool:
    """Whether a host name or address is ``localhost``, 127.0.0.0/8 or ``::1``; names are never looked up."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
