"""What the fake GitHub has, and what it answers at which path."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.contract.forge.contract import github

if TYPE_CHECKING:
    from tests.contract.forge.fake_github import Asked

NOW = "2026-01-02T03:00:00Z"
REPO = "https://api.github.com/repos/acme/shop"
PAGE = "https://github.com/acme/shop"

Told = tuple[int, Any]


@dataclass(frozen=True)
class Many:
    """A list that is given out in pages; below `key`, where that is not empty."""

    entries: list[Any]
    key: str = ""


def user(login: str, kind: str = "User") -> dict[str, Any]:
    return github().made("simple-user", login=login, type=kind)


BOT = user("github-actions[bot]", "Bot")


@dataclass(kw_only=True)
class World:
    """One repository; `me` is the user whose token is used, `viewer` how GraphQL calls them."""

    me: dict[str, Any] = field(default_factory=lambda: BOT)
    viewer: str = "github-actions[bot]"
    owner: str = "Organization"
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    attempts: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    jobs: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=dict)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: list[dict[str, Any]] = field(default_factory=list)
    branches: dict[str, dict[str, Any]] = field(default_factory=dict)
    protection: dict[str, Told] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    states: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: count(100))

    def run(self, number: int, *, status: str = "in_progress", attempts: int = 1, **fields: Any) -> None:
        """A run whose newest attempt has `status`; those before it are completed."""
        repository = github().made("minimal-repository", full_name="acme/shop", url=REPO)
        for attempt in range(1, attempts + 1):
            self.runs[number] = self.attempts[number, attempt] = github().made(
                "workflow-run",
                id=number,
                run_attempt=attempt,
                status=status if attempt == attempts else "completed",
                created_at=NOW,
                head_sha="c" * 40,
                repository=repository,
                url=f"{REPO}/actions/runs/{number}",
                jobs_url=f"{REPO}/actions/runs/{number}/jobs",
                **fields,
            )

    def job(self, run: int, attempt: int, status: str, runner: str | None, **fields: Any) -> None:
        fields = {"run_attempt": attempt, "status": status, "runner_name": runner, **fields}
        made = github().made("job", run_id=run, **fields)
        self.jobs.setdefault((run, attempt), []).append(made)

    def deployment(self, **fields: Any) -> dict[str, Any]:
        """A record, the newest; without statuses."""
        number = next(self._ids)
        fields = {"creator": BOT, "created_at": NOW, "payload": {}, **fields}
        made = github().made("deployment", id=number, url=f"{REPO}/deployments/{number}", **fields)
        self.deployments.insert(0, made)
        self.states[number] = []
        return made

    def state(self, record: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A status of a record, the newest."""
        made = github().made("deployment-status", id=next(self._ids), creator=self.me, **fields)
        self.states[record["id"]].insert(0, made)
        return made

    def issue(self, **fields: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        url = f"{REPO}/issues/{number}"
        fields = {"user": self.me, "state": "open", **fields}
        html = f"{PAGE}/issues/{number}"
        places = {"url": url, "html_url": html, "comments_url": f"{url}/comments"}
        made = github().made("issue", number=number, **places, **fields)
        self.issues.append(made)
        return made

    def comment(self, issue: int, body: str, by: dict[str, Any] | None = None) -> dict[str, Any]:
        number = next(self._ids)
        url, html = f"{REPO}/issues/comments/{number}", f"{PAGE}/pull/{issue}#issuecomment-{number}"
        fields = {"body": body, "user": by or self.me}
        made = github().made("issue-comment", id=number, url=url, html_url=html, **fields)
        self.comments.append((issue, made))
        return made

    def release(self, tag: str, **fields: Any) -> dict[str, Any]:
        number = next(self._ids)
        url = f"{REPO}/releases/{number}"
        fields = {"draft": False, "author": self.me, "name": tag, "body": "", "assets": [], **fields}
        made = github().made(
            "release",
            id=number,
            tag_name=tag,
            url=url,
            html_url=f"{PAGE}/releases/tag/{tag}",
            assets_url=f"{url}/assets",
            upload_url=f"https://uploads.github.com/repos/acme/shop/releases/{number}/assets{{?name,label}}",
            **fields,
        )
        self.releases.append(made)
        return made

    def asset(self, release: dict[str, Any], name: str, data: bytes, **fields: Any) -> dict[str, Any]:
        number = next(self._ids)
        fields = {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "state": "uploaded", **fields}
        url = f"{REPO}/releases/assets/{number}"
        made = github().made("release-asset", id=number, url=url, name=name, size=len(data), **fields)
        release["assets"].append(made)
        return made


MISSING: Told = (404, {"message": "Not Found"})


def _or_missing(found: Any) -> Told:
    return MISSING if found is None else (200, found)


def _by_id(entries: list[dict[str, Any]], number: str) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry["id"] == int(number)), None)


def _names(world: World, _: "Asked", kind: str) -> Told:
    """Variables or secrets; `kind` is the last part of the path, with the environment where there is one."""
    key = kind.rsplit("/", 1)[-1].removeprefix("organization-")
    schema = "actions-variable" if key == "variables" else "actions-secret"
    return 200, Many([github().made(schema, name=name) for name in world.names.get(kind, [])], key)


def _deploy(world: World, asked: "Asked") -> Told:
    kept = {key: asked.body[key] for key in ("environment", "payload", "description")}
    return 201, world.deployment(sha=asked.body["ref"], ref=asked.body["ref"], creator=world.me, **kept)


def _deployments(world: World, asked: "Asked") -> Told:
    wanted = asked.query.get("environment")
    return 200, Many([one for one in world.deployments if one["environment"] == wanted])


def _state(world: World, asked: "Asked", number: str) -> Told:
    record = _by_id(world.deployments, number)
    if record is None:
        return MISSING
    kept = {key: asked.body[key] for key in ("state", "description", "target_url")}
    extra = {key: asked.body[key] for key in ("environment_url",) if key in asked.body}
    return 201, world.state(record, log_url=asked.body["target_url"], **kept, **extra)


def _changed(found: dict[str, Any] | None, asked: "Asked") -> Told:
    if found is None:
        return MISSING
    found.update(asked.body)
    return 200, found


def _say(world: World, asked: "Asked", number: str) -> Told:
    return 201, world.comment(int(number), asked.body["body"])


def _comment(world: World, asked: "Asked", number: str) -> Told:
    return _changed(_by_id([comment for _, comment in world.comments], number), asked)


def _issues(world: World, asked: "Asked") -> Told:
    return 200, Many([one for one in world.issues if one["state"] == asked.query.get("state", "open")])


def _issue(world: World, number: str) -> dict[str, Any] | None:
    return next((one for one in world.issues if one["number"] == int(number)), None)


def _release(world: World, asked: "Asked") -> Told:
    kept = {key: asked.body[key] for key in ("name", "body", "draft")}
    return 201, world.release(asked.body["tag_name"], **kept)


def _upload(world: World, asked: "Asked", number: str) -> Told:
    release = _by_id(world.releases, number)
    if release is None:
        return MISSING
    if any(asset["name"] == asked.query["name"] for asset in release["assets"]):
        return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]}
    return 201, world.asset(release, asked.query["name"], asked.body or b"")


def _delete(world: World, _: "Asked", number: str) -> Told:
    for release in world.releases:
        release["assets"] = [asset for asset in release["assets"] if asset["id"] != int(number)]
    return 204, None


def _by_tag(world: World, _: "Asked", tag: str) -> Told:
    found = (one for one in world.releases if one["tag_name"] == tag and not one["draft"])
    return _or_missing(next(found, None))


def _ref(world: World, _: "Asked", ref: str) -> Told:
    if ref.removeprefix("tags/") not in world.tags:
        return MISSING
    return 200, github().made("git-ref", ref=f"refs/{ref}", url=f"{REPO}/git/refs/{ref}")


def _environment(world: World, _: "Asked", name: str) -> Told:
    return _or_missing({key.lower(): value for key, value in world.environments.items()}.get(name.lower()))


def _repository(world: World, _: "Asked") -> Told:
    owner = user("acme", world.owner)
    return 200, github().made("full-repository", full_name="acme/shop", url=REPO, owner=owner)


def _viewer(world: World, _: "Asked") -> Told:
    return 200, {"data": {"viewer": {"login": world.viewer}}}


def _attempt(world: World, _: "Asked", run: str, attempt: str) -> Told:
    return _or_missing(world.attempts.get((int(run), int(attempt))))


def _jobs(world: World, _: "Asked", run: str, attempt: str) -> Told:
    return 200, Many(world.jobs.get((int(run), int(attempt)), []), "jobs")


def _policies(world: World, *_: Any) -> Told:
    return 200, Many(world.policies, "branch_policies")


def _comments(world: World, _: "Asked", number: str) -> Told:
    return 200, Many([comment for issue, comment in world.comments if issue == int(number)])


def _assets(world: World, _: "Asked", number: str) -> Told:
    found = _by_id(world.releases, number)
    return MISSING if found is None else (200, Many(found["assets"]))


def _branches(world: World, asked: "Asked") -> Told:
    assert asked.query["protected"] == "true"
    found = [name for name, branch in world.branches.items() if branch["protected"]]
    return 200, Many([github().made("short-branch", name=name, protected=True) for name in found])


_R = "/repos/acme/shop"
_P = "([^/]+)"

PAGES: list[tuple[str, str, Callable[..., Told]]] = [
    ("GET", _R, _repository),
    ("POST", "/graphql", _viewer),
    ("GET", f"{_R}/actions/runs/{_P}", lambda w, _, n: _or_missing(w.runs.get(int(n)))),
    ("GET", f"{_R}/actions/runs/{_P}/approvals", lambda w, _, n: (200, w.approvals)),
    ("GET", f"{_R}/actions/runs/{_P}/attempts/{_P}", _attempt),
    ("GET", f"{_R}/actions/runs/{_P}/attempts/{_P}/jobs", _jobs),
    ("GET", f"{_R}/actions/((?:organization-)?(?:variables|secrets))", _names),
    ("GET", f"{_R}/environments", lambda w, _: (200, Many([*w.environments.values()], "environments"))),
    ("GET", f"{_R}/environments/{_P}", _environment),
    ("GET", f"{_R}/environments/({_P[1:-1]}/(?:variables|secrets))", _names),
    ("GET", f"{_R}/environments/{_P}/deployment-branch-policies", _policies),
    ("GET", f"{_R}/branches", _branches),
    ("GET", f"{_R}/branches/{_P}", lambda w, _, b: _or_missing(w.branches.get(b))),
    ("GET", f"{_R}/branches/{_P}/protection", lambda w, _, b: w.protection[b]),
    ("GET", f"{_R}/rules/branches/{_P}", lambda w, _, b: (200, Many(w.rules))),
    ("GET", f"{_R}/rulesets/{_P}", lambda w, _, n: _or_missing(w.rulesets.get(int(n)))),
    ("GET", f"{_R}/commits/{_P}/check-runs", lambda w, *_: (200, Many(w.checks, "check_runs"))),
    ("GET", f"{_R}/commits/{_P}/statuses", lambda w, *_: (200, Many(w.statuses))),
    ("GET", f"{_R}/deployments", _deployments),
    ("POST", f"{_R}/deployments", _deploy),
    ("GET", f"{_R}/deployments/{_P}/statuses", lambda w, _, n: (200, Many(w.states[int(n)]))),
    ("POST", f"{_R}/deployments/{_P}/statuses", _state),
    ("GET", f"{_R}/issues", _issues),
    ("POST", f"{_R}/issues", lambda w, a: (201, w.issue(**a.body))),
    ("GET", f"{_R}/issues/{_P}", lambda w, _, n: _or_missing(_issue(w, n))),
    ("PATCH", f"{_R}/issues/{_P}", lambda w, a, n: _changed(_issue(w, n), a)),
    ("GET", f"{_R}/issues/{_P}/comments", _comments),
    ("POST", f"{_R}/issues/{_P}/comments", _say),
    ("PATCH", f"{_R}/issues/comments/{_P}", _comment),
    ("GET", f"{_R}/git/ref/(.+)", _ref),
    ("GET", f"{_R}/releases", lambda w, _: (200, Many(w.releases))),
    ("POST", f"{_R}/releases", _release),
    ("GET", f"{_R}/releases/tags/{_P}", _by_tag),
    ("GET", f"{_R}/releases/{_P}", lambda w, _, n: _or_missing(_by_id(w.releases, n))),
    ("PATCH", f"{_R}/releases/{_P}", lambda w, a, n: _changed(_by_id(w.releases, n), a)),
    ("GET", f"{_R}/releases/{_P}/assets", _assets),
    ("POST", f"{_R}/releases/{_P}/assets", _upload),
    ("DELETE", f"{_R}/releases/assets/{_P}", _delete),
]
