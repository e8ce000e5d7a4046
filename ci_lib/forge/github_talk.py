"""Comments and issues on GitHub that are written anew instead of piling up: each has a hidden mark."""

from typing import Any, Final
from urllib.parse import quote

from github.Repository import Repository

from ci_lib.domain.text import head, one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import a_text, number, pages, text
from ci_lib.forge.github_run import GitHubRun

BODY_LIMIT: Final = 65536
"""Characters of a comment, an issue; bytes are counted, of which there are never fewer."""

_CUT: Final = "**The rest did not fit: the evidence of the run holds all of it.**"
_TITLE: Final = 256


def comment(repo: Repository, run: GitHubRun, mark: str, markdown: str) -> str:
    """Write the one comment with this mark below the run's pull request; raises ``ForgeFault``."""
    if not run.request:
        return ""
    with asking(f"a comment on pull request {run.request}", needs="pull-requests: write"):
        return _comment(repo, run.request, mark, markdown)


def issue(repo: Repository, mark: str, title: str, markdown: str) -> str:
    """Open, or write anew, the one open issue with this mark; raises ``ForgeFault``."""
    title = one_line(title, _TITLE)
    with asking(f"the issue {title!r}", needs="issues: write"):
        body = marked(mark, markdown)
        found = _issue(repo, mark)
        if found is None:
            return a_text(repo.create_issue(title=title, body=body).html_url)
        if (found["title"], found["body"]) != (title, body):
            repo.get_issue(number(found, "number")).edit(title=title, body=body)
        return text(found, "html_url")


def close_issue(repo: Repository, mark: str, markdown: str) -> str:
    """Close the open issue with this mark after a last comment; raises ``ForgeFault``.

    The comment has a mark too: when closing fails, the next time does not say it twice.
    """
    with asking("the issue to close", needs="issues: write"):
        found = _issue(repo, mark)
        if found is None:
            return ""
        _comment(repo, number(found, "number"), f"{mark}/closed", markdown)
        repo.get_issue(number(found, "number")).edit(state="closed")
        return text(found, "html_url")


def marked(mark: str, markdown: str) -> str:
    """A body that begins with its mark; only there it counts, since the rest may quote anything."""
    return head(f"{_line(mark)}\n{markdown}", size=BODY_LIMIT, notice=_CUT)


def viewer(repo: Repository) -> str:
    """The login of the token's owner. REST tells it to people alone, GraphQL to every token."""
    found = repo.requester.graphql_query("query { viewer { login } }", {})[1]
    return text(found["data"]["viewer"], "login")


def is_by(user: dict[str, Any] | None, login: str) -> bool:
    """Whether a user of REST is the viewer; GraphQL may name a bot without its suffix."""
    if user is None:  # the account is gone
        return False
    name = text(user, "login")
    return name == login or (user.get("type") == "Bot" and name == f"{login}[bot]")


def _line(mark: str) -> str:
    # Quoted, no mark can end the HTML comment, and no two marks are the same.
    return f"<!-- deploy-actions:{quote(mark, safe='/')} -->"


def _is_marked(body: str | None, mark: str) -> bool:
    # GitHub may have turned our line feed into CR and LF.
    return (body or "").split("\n", 1)[0].rstrip("\r") == _line(mark)


def _comment(repo: Repository, below: int, mark: str, markdown: str) -> str:
    body, login = marked(mark, markdown), viewer(repo)
    issue = repo.get_issue(below)
    for found in pages(repo, f"/issues/{below}/comments"):
        if _is_ours(found, mark, login):
            if found["body"] != body:
                issue.get_comment(number(found, "id")).edit(body)
            return text(found, "html_url")
    return a_text(issue.create_comment(body).html_url)


def _is_ours(found: dict[str, Any], mark: str, login: str) -> bool:
    return _is_marked(found["body"], mark) and is_by(found["user"], login)


def _issue(repo: Repository, mark: str) -> dict[str, Any] | None:
    """The oldest open one."""
    login = viewer(repo)
    for found in pages(repo, "/issues", state="open", sort="created", direction="asc"):
        if "pull_request" not in found and _is_ours(found, mark, login):
            return found
    return None
