"""The commands that the compose target runs, as data."""

from ci_lib.domain.images import KEPT, Image

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"
RELEASE = "deploy-actions.release"
VERSION = "deploy-actions.version"
CONFIG = "deploy-actions.config"
LABELS = (RELEASE, VERSION, CONFIG)

Argv = tuple[str, ...]


def compose(environment: Argv, folder: str, project: str, files: Argv, *arguments: str) -> Argv:
    """``docker compose`` in a folder; ``files`` are relative to it, ``environment`` are arguments of ``env``.

    PWD is set because files may say ``${PWD}``: it has to be the folder, wherever we were started.
    """
    named = tuple(word for file in files for word in ("-f", f"{folder}/{file}"))
    begin = ("env", *environment, f"PWD={folder}", "docker", "compose", "--project-directory", folder)
    return (*begin, "-p", project, *named, *arguments)


def up(services: Argv) -> Argv:
    """What brings a release up: nothing is built and nothing is pulled, that was done before."""
    whole = ("up", "-d", "--no-build", "--pull", "never")
    return (*whole, "--no-deps", *services) if services else whole


def kept_tag(project: str, image: Image) -> str:
    """Our own tag for an image: without a tag, ``docker image prune`` would delete a rollback target.

    Named by the Compose project, which is unique on a host: environments that share one must not let go of
    each other's images.
    """
    return f"{KEPT}{project}/{image.name}:{image.kept_as}"


def pin_reference(image: Image) -> str:
    """How the pin names an image; one adopted without a registry has nothing but our own tag."""
    if image.repository.startswith(KEPT):
        return f"{image.repository}:{image.tag}"
    return image.reference
