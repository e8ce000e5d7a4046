"""A release on GitHub: a draft until all its files are there, and never changed once it is published."""

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from github.Repository import Repository

from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.text import one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import a_text, number, one, pages, text
from ci_lib.forge.github_talk import is_by, marked, viewer
from ci_lib.forge.github_transport import GitHubFault

_NAME: Final = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._+-]{0,198}[A-Za-z0-9_-])?")
"""Names of files that GitHub keeps as they are; it renames others, and they would not be found again."""

_FILE_LIMIT: Final = 256 * 1024 * 1024
_MARK: Final = "release"
_BINARY: Final = "application/octet-stream"


def release(repo: Repository, tag: str, title: str, notes: str, files: Mapping[str, Path]) -> str:
    """Make the release of a tag that exists, or complete it; raises ``ForgeFault``.

    Files go to a draft, and the draft is published last: so nobody sees half a release, and it works where a
    published one can no longer be changed.
    """
    shown = one_line(tag)
    data = {name: _read(name, path) for name, path in sorted(files.items())}
    with asking(f"the release of {shown}", needs="contents: write"):
        _tag_exists(repo, tag)
        published = _published(repo, tag)
        if published is not None:
            _complete(repo, number(published, "id"), data)
            return text(published, "html_url")
        body = marked(_MARK, notes)
        draft = _draft(repo, tag) or repo.create_git_release(tag, name=title, message=body, draft=True).id
        _complete(repo, draft, data)
        made = repo.get_release(draft).update_release(
            name=title, message=body, draft=False, tag_name=tag, make_latest="legacy"
        )
        return a_text(made.html_url)


def _read(name: str, path: Path) -> bytes:
    if not _NAME.fullmatch(name):
        raise ForgeFault(
            f"{one_line(name)!r} cannot be a file of a release: GitHub would rename it",
            hint="use letters, digits, `.`, `_`, `+` and `-`, and begin and end with none of the signs",
        )
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ForgeFault(f"{one_line(name)} has more than {_FILE_LIMIT // 1024**2} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ForgeFault(f"{one_line(name)} cannot be read: {error.strerror}") from None


def _tag_exists(repo: Repository, tag: str) -> None:
    """GitHub would make a missing tag by itself, of whatever is on the default branch."""
    try:
        same = one(repo, f"/git/ref/tags/{quote(tag)}")["ref"] == f"refs/tags/{tag}"
    except GitHubFault as fault:
        if fault.status != 404:
            raise
        same = False
    if not same:
        raise ForgeFault(f"there is no tag {one_line(tag)} that the token may see", hint="push the tag first")


def _published(repo: Repository, tag: str) -> dict[str, Any] | None:
    try:
        return dict(one(repo, f"/releases/tags/{quote(tag, safe='')}"))
    except GitHubFault as fault:
        if fault.status != 404:
            raise
        return None


def _draft(repo: Repository, tag: str) -> int | None:
    """The id of our own draft that a run left behind; those of people are theirs."""
    login = viewer(repo)
    for found in pages(repo, "/releases"):
        if found["draft"] is True and found["tag_name"] == tag and is_by(found["author"], login):
            return number(found, "id")
    return None


def _complete(repo: Repository, release: int, files: Mapping[str, bytes]) -> None:
    found = repo.get_release(release)
    there = {text(asset, "name"): asset for asset in pages(repo, f"/releases/{release}/assets")}
    for name, data in files.items():
        asset = there.get(name)
        if asset is not None and asset["state"] != "uploaded":
            _delete(repo, number(asset, "id"))  # the empty rest of an upload that broke off
            asset = None
        if asset is None:
            # Without a label of ours PyGithub sends an empty one, which the documentation does not allow.
            found.upload_asset_from_memory(io.BytesIO(data), len(data), name, _BINARY, label=name)
        else:
            _same(asset, data)


def _delete(repo: Repository, asset: int) -> None:
    repo.requester.requestJsonAndCheck("DELETE", f"{repo.url}/releases/assets/{asset}")


def _same(asset: dict[str, Any], data: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if asset["size"] == len(data) and asset.get("digest") == digest:
        return
    why = "differs from ours" if asset.get("digest") else "has a content that this GitHub does not tell"
    raise ForgeFault(
        f"the published file {asset['name']} {why}",
        hint="what was published is never replaced: make a new version",
    )
