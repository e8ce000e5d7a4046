"""``resolve: host``: let the target's host find the digest, where only it can reach the registry."""

import json
import re
from dataclasses import replace

from ci_lib.domain.images import Reference, is_digest
from ci_lib.images.address import address_of
from ci_lib.images.fetch import fault
from ci_lib.images.registry import missing, version_in
from ci_lib.ports.protocols import Host, PortFault, Ran

_GRACE = 10.0
_TIMED_OUT = 124  # what timeout(1) returns
_KILLED = 137
_DIGEST_LINE = re.compile(r"^Digest: (\S+)$", re.MULTILINE)
_ABSENT = re.compile(r"manifest unknown|name unknown|(?:manifest for|resolve reference) .*not found")


def resolve_on_host(reference: Reference, *, host: Host, timeout: float) -> str:
    """Return the digest that the host's own engine gets for ``reference``, as ``sha256:…``.

    The engine has no command that only asks, so the image is pulled: with the host's own Docker logins,
    into the host's image store, and within ``timeout`` seconds. Nothing that runs is touched. The digest is
    believed only if the engine lists it for exactly this repository, since an image is known by every
    repository that it was ever pulled from. Raises ``DeployError`` with IMAGE_MISSING or REGISTRY, a
    ``PortFault`` when the host does not answer, and ``UsageFault`` when there is neither tag nor digest.
    """
    version_in(reference)
    # The engine looks an image up by tag or by digest; the digest is the one that cannot move.
    asked = replace(reference, tag="") if reference.digest else reference
    pulled = _pull(asked, host, timeout)
    found = _DIGEST_LINE.findall(pulled.stdout)
    digest = found[-1] if found else ""
    if not is_digest(digest) or digest not in _known_digests(asked, host):
        raise fault(
            f"the engine on {host.name} pulled {asked} and does not say which digest it has",
            hint=f"look at `docker image inspect {asked}` on {host.name}",
        )
    if asked.digest not in ("", digest):
        raise fault(f"the engine on {host.name} pulled {digest} instead of {asked}")
    return digest


def _pull(asked: Reference, host: Host, timeout: float) -> Ran:
    # timeout(1) on the host: ending an SSH client leaves the remote command running.
    limit = ["timeout", "-k", "5", f"{timeout:g}"]
    try:
        ran = host.run([*limit, "docker", "pull", str(asked)], timeout=timeout + _GRACE)
    except PortFault as error:
        raise fault(f"{asked} could not be pulled on {host.name}: {error}") from error
    if ran.ok:
        return ran
    if ran.code in (_TIMED_OUT, _KILLED):
        raise fault(
            f"{asked} could not be pulled on {host.name} within {timeout:g} s",
            hint="give `limits: pull` more time, or look at the way from the host to the registry",
        )
    if _ABSENT.search(ran.stderr):
        raise missing(asked, f"the registry, asked from {host.name},")
    raise fault(
        f"{asked} could not be pulled on {host.name}: {ran.said}",
        hint=f"does `docker pull {asked}` work there for this user?",
    )


def _known_digests(asked: Reference, host: Host) -> frozenset[str]:
    """The digests by which the image is known in exactly this repository."""
    argv = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", str(asked)]
    ran = host.run(argv, timeout=30.0)
    try:
        names = json.loads(ran.stdout) if ran.ok else []
        pairs = [str(name).rpartition("@") for name in names or []]
    except (ValueError, TypeError, RecursionError):
        pairs = []
    wanted = address_of(asked.repository).full
    return frozenset(digest for repository, _, digest in pairs if address_of(repository).full == wanted)
