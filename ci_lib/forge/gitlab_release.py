"""A release on GitLab: its files are generic packages, which are there before the release names them.

GitLab would keep a second file of the same name and version beside the first, and show the newer: so what is
there is compared before anything is uploaded.

Sources: https://docs.gitlab.com/api/releases/, https://docs.gitlab.com/api/releases/links/,
https://docs.gitlab.com/api/packages/, https://docs.gitlab.com/user/packages/generic_packages/
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gitlab.v4.objects import Project

from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.text import one_line
from ci_lib.forge.gitlab_client import Access, asking
from ci_lib.forge.gitlab_json import maybe, pages, part, text
from ci_lib.forge.gitlab_run import GitLabRun

PACKAGE: Final = "release"
"""The generic package whose versions hold the files of releases."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._+-]{0,198}[A-Za-z0-9_-])?")
_VERSION: Final = re.compile(r"(?![vV])[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_FILE_LIMIT: Final = 256 * 1024 * 1024
_NEVER: Final = "what was published is never replaced: make a new version"


def release(
    access: Access, run: GitLabRun, tag: str, title: str, notes: str, files: Mapping[str, Path]
) -> str:
    """Make the release of a tag that exists, or complete it; raises ``ForgeFault``."""
    shown, version = one_line(tag), re.sub(r"^[vV](?=[0-9])", "", tag)
    data = {name: _read(name, path) for name, path in sorted(files.items())}
    if data and not _VERSION.fullmatch(version):
        raise ForgeFault(
            f"the files of {shown} cannot be published: {one_line(version)!r} is no version of a package",
            hint="a version has letters, digits, `.`, `_`, `+` and `-`, and does not begin with v",
        )
    with asking(f"the release of {shown}"):
        if not _tagged(access, run, tag):
            raise ForgeFault(f"there is no tag {shown} that the token may see", hint="push the tag first")
        access.first(lambda project: _publish(project, version, data))
        links = {name: f"{run.api}/projects/{run.project}/{_at(version, name)}" for name in data}
        found = maybe(access, f"/releases/{part(tag)}")
        if found is not None and found["tag_name"] != tag:
            raise ValueError
        if found is None:
            access.first(lambda project: _create(project, tag, title, notes, links))
        else:
            access.first(lambda project: _complete(project, tag, links))
    return f"{run.url}/-/releases/{part(tag)}"


def _read(name: str, path: Path) -> bytes:
    if not _NAME.fullmatch(name):
        raise ForgeFault(
            f"{one_line(name)!r} cannot be a file of a release",
            hint="use letters, digits, `.`, `_`, `+` and `-`, and begin and end with none of the signs",
        )
    try:
        if not 0 < path.stat().st_size <= _FILE_LIMIT:
            raise ForgeFault(f"{one_line(name)} is empty, or has more than {_FILE_LIMIT // 1024**2} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ForgeFault(f"{one_line(name)} cannot be read: {error.strerror}") from None


def _at(version: str, name: str) -> str:
    return f"packages/generic/{PACKAGE}/{version}/{name}"


def _tagged(access: Access, run: GitLabRun, tag: str) -> bool:
    """Whether the tag is there: files of a release that nobody can make would stay behind."""
    if run.is_tag and run.ref == tag:
        return True
    found = maybe(access, f"/repository/tags/{part(tag)}")
    return found is not None and text(found, "name") == tag


def _publish(project: Project, version: str, files: Mapping[str, bytes]) -> None:
    """Upload what is missing, after all that is there was found to be the same."""
    there = _there(project, version) if files else []
    missing = {name: data for name, data in files.items() if not _is_there(name, data, there)}
    for name, data in missing.items():
        project.generic_packages.upload(PACKAGE, version, name, data=data)


def _there(project: Project, version: str) -> list[dict[str, Any]]:
    """The files of a version, of every package that has it."""
    asked = {"package_type": "generic", "package_name": PACKAGE}
    packages = [
        int(each["id"])
        for each in pages(project, "/packages", **asked)
        if (each["name"], each["version"]) == (PACKAGE, version)
    ]
    return [file for number in packages for file in pages(project, f"/packages/{number}/package_files")]


def _is_there(name: str, data: bytes, there: list[dict[str, Any]]) -> bool:
    same = (len(data), hashlib.sha256(data).hexdigest())
    found = [(each["size"], each["file_sha256"]) for each in there if text(each, "file_name") == name]
    if any(each != same for each in found):
        raise ForgeFault(f"the published file {name} differs from ours", hint=_NEVER)
    return bool(found)


def _create(project: Project, tag: str, title: str, notes: str, links: Mapping[str, str]) -> None:
    """Make it with all its links at once. Without a ``ref`` GitLab makes no tag for it."""
    assets = {"links": [_link(name, url) for name, url in links.items()]}
    project.releases.create({"tag_name": tag, "name": title, "description": notes, "assets": assets})


def _complete(project: Project, tag: str, links: Mapping[str, str]) -> None:
    """Add the links that a release lacks."""
    path = f"/releases/{part(tag)}/assets/links"
    there = {text(each, "name"): text(each, "url") for each in pages(project, path)}
    for name, url in links.items():
        if there.get(name, url) != url:
            raise ForgeFault(f"the release has a link {name} that leads elsewhere", hint=_NEVER)
    for name, url in links.items():
        if name not in there:
            project.releases.get(tag, lazy=True).links.create(_link(name, url))


def _link(name: str, url: str) -> dict[str, str]:
    return {"name": name, "url": url, "link_type": "package", "direct_asset_path": f"/{name}"}
