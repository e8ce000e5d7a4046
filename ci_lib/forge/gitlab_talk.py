"""Notes and issues on GitLab that are written anew instead of piling up: each has a hidden mark.

Sources: https://docs.gitlab.com/api/notes/, https://docs.gitlab.com/api/issues/, https://docs.gitlab.com/api/users/
"""

import re
from typing import Any, Final
from urllib.parse import quote

from gitlab.v4.objects import Project
from gitlab.v4.objects.notes import ProjectIssueNoteManager, ProjectMergeRequestNoteManager

from ci_lib.domain.text import head, one_line
from ci_lib.forge.gitlab_client import Access, asking, own_token
from ci_lib.forge.gitlab_json import one, pages, text
from ci_lib.forge.gitlab_run import GitLabRun

BODY_LIMIT: Final = 500_000
"""Bytes of a note or issue; GitLab takes a million characters, and shows no Markdown of a very long text."""

_CUT: Final = "**The rest did not fit: the evidence of the run holds all of it.**"
_TITLE: Final = 255
_SLASH: Final = re.compile("^/", re.MULTILINE)
_NEEDS: Final = own_token("Reporter")


def comment(access: Access, run: GitLabRun, mark: str, markdown: str) -> str:
    """Write the one note with this mark below the run's merge request; raises ``ForgeFault``."""
    if not run.request:
        return ""
    with asking(f"a note on merge request !{run.request}", needs=_NEEDS):
        project = access.own(_NEEDS)
        below = project.mergerequests.get(run.request, lazy=True).notes
        number = _note(project, f"/merge_requests/{run.request}/notes", below, mark, markdown)
        return f"{run.url}/-/merge_requests/{run.request}#note_{number}"


def issue(access: Access, mark: str, title: str, markdown: str) -> str:
    """Open, or write anew, the one open issue with this mark; raises ``ForgeFault``."""
    title = one_line(title, _TITLE)
    with asking(f"the issue {title!r}", needs=_NEEDS):
        project, body = access.own(_NEEDS), marked(mark, markdown)
        found = _issue(project, mark)
        if found is None:
            found = project.issues.create({"title": title, "description": body}).asdict()
        elif (found["title"], found["description"]) != (title, body):
            project.issues.update(found["iid"], {"title": title, "description": body})
        return text(found, "web_url")


def close_issue(access: Access, mark: str, markdown: str) -> str:
    """Close the open issue with this mark after a last note; raises ``ForgeFault``.

    The note has a mark too: when closing fails, the next time does not say it twice.
    """
    with asking("the issue to close", needs=_NEEDS):
        project = access.own(_NEEDS)
        found = _issue(project, mark)
        if found is None:
            return ""
        number = int(found["iid"])
        below = project.issues.get(number, lazy=True).notes
        _note(project, f"/issues/{number}/notes", below, f"{mark}/closed", markdown)
        project.issues.update(number, {"state_event": "close"})
        return text(found, "web_url")


def marked(mark: str, markdown: str) -> str:
    """A body that begins with its mark; only there it counts, since the rest may quote anything.

    A line that begins with a slash would be a quick action: ``/merge``, done with the rights of our token.
    GitLab takes carriage returns out before it looks for them, and space at the end.
    Source: https://docs.gitlab.com/user/project/quick_actions/
    """
    plain = _SLASH.sub("&#47;", markdown.replace("\r", ""))
    return head(f"{_line(mark)}\n{plain}", size=BODY_LIMIT, notice=_CUT).rstrip()


def _line(mark: str) -> str:
    # Quoted, no mark can end the HTML comment, and no two marks are the same.
    return f"<!-- deploy-actions:{quote(mark, safe='/')} -->"


def _is_marked(body: str | None, mark: str) -> bool:
    return (body or "").split("\n", 1)[0].rstrip("\r") == _line(mark)


def _me(project: Project) -> int:
    """The number of the user whose token GITLAB_TOKEN is."""
    return int(one(project, "", below="/user")["id"])


def _note(
    project: Project,
    path: str,
    below: ProjectMergeRequestNoteManager | ProjectIssueNoteManager,
    mark: str,
    markdown: str,
) -> int:
    body, me = marked(mark, markdown), _me(project)
    for found in pages(project, path, sort="asc", order_by="created_at"):
        ours = (found["author"] or {}).get("id") == me and found["system"] is False
        if ours and _is_marked(found["body"], mark):
            if found["body"] != body:
                below.update(found["id"], {"body": body})
            return int(found["id"])
    return int(below.create({"body": body}).asdict()["id"])


def _issue(project: Project, mark: str) -> dict[str, Any] | None:
    """The oldest open one by our own user."""
    me = _me(project)
    asked = {"state": "opened", "author_id": str(me), "order_by": "created_at", "sort": "asc"}
    found = (each for each in pages(project, "/issues", **asked) if each["author"]["id"] == me)
    return next((each for each in found if _is_marked(each["description"], mark)), None)
