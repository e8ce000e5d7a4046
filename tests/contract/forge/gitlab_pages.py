"""What the fake GitLab has, and what it answers at which path."""

import copy
import hashlib
import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.contract.forge.fake_gitlab import Asked

NOW = "2026-01-02T03:00:00.000Z"
PAGE = "https://gitlab.example/acme/shop"

Told = tuple[int, Any]
BOT = {"id": 50, "username": "project_7_bot"}
ANN = {"id": 51, "username": "ann"}


@dataclass(kw_only=True)
class World:
    """One project, 7; `me` is the user of GITLAB_TOKEN, whose role there is `own_role` (40: Maintainer)."""

    me: dict[str, Any] = field(default_factory=lambda: BOT)
    own_role: int = 40
    job_token_works: bool = True
    premium: bool = True
    project: dict[str, Any] = field(
        default_factory=lambda: {
            "id": 7,
            "namespace": {"kind": "group", "full_path": "acme/web"},
            "only_allow_merge_if_pipeline_succeeds": True,
            "allow_merge_on_skipped_pipeline": None,
        }
    )
    users: dict[int, str] = field(default_factory=lambda: {51: "ann"})
    groups: dict[int, str] = field(default_factory=lambda: {134: "acme/ops"})
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    pipelines: dict[int, str] = field(default_factory=dict)
    """The names that were given to them."""
    environments: list[dict[str, Any]] = field(default_factory=list)
    protected_environments: list[dict[str, Any]] = field(default_factory=list)
    protected_branches: list[dict[str, Any]] = field(default_factory=list)
    approval_rules: list[dict[str, Any]] = field(default_factory=list)
    approvals: dict[str, Any] = field(default_factory=lambda: {"merge_requests_author_approval": False})
    statuses: list[dict[str, Any]] = field(default_factory=list)
    variables: list[dict[str, Any]] = field(default_factory=list)
    group_variables: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"acme": [], "acme/web": []}
    )
    tags: dict[str, str] = field(default_factory=dict)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    packages: list[dict[str, Any]] = field(default_factory=list)
    files: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    releases: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: count(100))

    def job(self, number: int, status: str, *, pipeline: int = 6, **fields: Any) -> None:
        made = {"id": number, "name": "deploy", "status": status, "pipeline": {"id": pipeline}, **fields}
        self.jobs.setdefault(pipeline, []).append(made)

    def environment(self, name: str) -> dict[str, Any]:
        for each in self.environments:
            if each["name"] == name:
                return each
        self.environments.append({"id": next(self._ids), "name": name})
        return self.environments[-1]

    def deployment(self, environment: str, **fields: Any) -> dict[str, Any]:
        """A record, the newest, by a job unless `deployable` is None."""
        made = {
            "id": next(self._ids),
            "sha": "a" * 40,
            "ref": "main",
            "status": "success",
            "created_at": NOW,
            "environment": self.environment(environment),
            "deployable": {"id": 70},
            **fields,
        }
        self.deployments.insert(0, made)
        return made

    def note(self, place: str, body: str, by: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        made = {"id": next(self._ids), "body": body, "author": by or self.me, "system": False, **fields}
        self.notes.setdefault(place, []).append(made)
        return made

    def obey(self, text: str) -> None:
        """Do the quick actions of a note or issue, as GitLab does for whoever writes it."""
        self.commands += re.findall(r"^/[a-z_]+", text.replace("\r", ""), re.MULTILINE)

    def issue(self, **fields: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        made = {
            "id": next(self._ids),
            "iid": number,
            "title": "",
            "description": None,
            "state": "opened",
            "author": self.me,
            "web_url": f"{PAGE}/-/issues/{number}",
            **fields,
        }
        self.issues.append(made)
        return made

    def file(self, version: str, name: str, data: bytes, *, package: str = "release") -> None:
        same = [each for each in self.packages if (each["name"], each["version"]) == (package, version)]
        if not same:
            made = {"id": next(self._ids), "name": package, "version": version, "package_type": "generic"}
            self.packages.append(made)
            same = [made]
        digest = hashlib.sha256(data).hexdigest()
        made = {"id": next(self._ids), "file_name": name, "size": len(data), "file_sha256": digest}
        self.files.setdefault(same[0]["id"], []).append(made)

    def link(self, tag: str, name: str, url: str) -> dict[str, Any]:
        made = {"id": next(self._ids), "name": name, "url": url}
        self.links.setdefault(tag, []).append(made)
        return made


MISSING: Told = (404, {"message": "404 Not found"})


def _or_missing(found: Any) -> Told:
    return MISSING if found is None else (200, copy.deepcopy(found))


def _by(key: str, entries: list[dict[str, Any]], number: str) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry[key] == int(number)), None)


def _me(world: World, _: "Asked") -> Told:
    return 200, world.me


def _user(world: World, _: "Asked", number: str) -> Told:
    name = world.users.get(int(number))
    return (200, {"id": int(number), "username": name}) if name else MISSING


def _group(world: World, _: "Asked", number: str) -> Told:
    path = world.groups.get(int(number))
    return (200, {"id": int(number), "full_path": path}) if path else MISSING


def _group_variables(world: World, _: "Asked", path: str) -> Told:
    return _or_missing(world.group_variables.get(path))


def _project(world: World, _: "Asked") -> Told:
    return 200, world.project


def _variables(world: World, _: "Asked") -> Told:
    return 200, world.variables


def _jobs(world: World, asked: "Asked", pipeline: str) -> Told:
    found = world.jobs.get(int(pipeline))
    if found is None:
        return MISSING
    all_of_them = asked.query.get("include_retried") == "true"
    return 200, [job for job in found if all_of_them or not job.get("retried")]


def _metadata(world: World, asked: "Asked", pipeline: str) -> Told:
    world.pipelines[int(pipeline)] = asked.body["name"]
    return 200, {"id": int(pipeline), "name": asked.body["name"]}


def _environments(world: World, asked: "Asked") -> Told:
    return 200, [each for each in world.environments if each["name"] == asked.query["name"]]


def _protected_environments(world: World, _: "Asked") -> Told:
    return (200, world.protected_environments) if world.premium else MISSING


def _protected_branches(world: World, _: "Asked") -> Told:
    return 200, world.protected_branches


def _approval_rules(world: World, _: "Asked") -> Told:
    return (200, world.approval_rules) if world.premium else MISSING


def _approvals(world: World, _: "Asked") -> Told:
    return (200, world.approvals) if world.premium else MISSING


def _statuses(world: World, _: "Asked", sha: str) -> Told:
    del sha
    return 200, world.statuses


def _tag(world: World, _: "Asked", name: str) -> Told:
    sha = world.tags.get(name)
    return (200, {"name": name, "commit": {"id": sha}}) if sha else MISSING


def _deployments(world: World, asked: "Asked") -> Told:
    found = [each for each in world.deployments if each["environment"]["name"] == asked.query["environment"]]
    shown = [{k: v for k, v in each.items() if k not in ("approvals", "approval_summary")} for each in found]
    newest_first = asked.query.get("sort") == "desc"
    return 200, shown if newest_first else shown[::-1]


def _deployment(world: World, _: "Asked", number: str) -> Told:
    return _or_missing(_by("id", world.deployments, number))


def _deploy(world: World, asked: "Asked") -> Told:
    fields = {key: asked.body[key] for key in ("sha", "ref", "status")}
    made = world.deployment(asked.body["environment"], **fields, deployable=None, is_tag=asked.body["tag"])
    return 201, made


def _redeploy(world: World, asked: "Asked", number: str) -> Told:
    found = _by("id", world.deployments, number)
    if found is None:
        return MISSING
    if found["deployable"]:
        return 403, {"message": "403 Forbidden - Deployments created using GitLab CI can not be updated"}
    found["status"] = asked.body["status"]
    return 200, found


def _notes(world: World, _: "Asked", place: str) -> Told:
    return 200, world.notes.get(place, [])


def _say(world: World, asked: "Asked", place: str) -> Told:
    world.obey(asked.body["body"])
    return 201, world.note(place, asked.body["body"])


def _say_anew(world: World, asked: "Asked", place: str, number: str) -> Told:
    found = _by("id", world.notes.get(place, []), number)
    if found is None:
        return MISSING
    if found["author"] != world.me:
        return 403, {"message": "403 Forbidden"}
    world.obey(asked.body["body"])
    found.update(asked.body)
    return 200, found


def _issues(world: World, asked: "Asked") -> Told:
    author = int(asked.query["author_id"])
    wanted = [each for each in world.issues if each["state"] == asked.query["state"]]
    return 200, [each for each in wanted if each["author"]["id"] == author]


def _open(world: World, asked: "Asked") -> Told:
    world.obey(asked.body["description"])
    return 201, world.issue(**asked.body)


def _edit(world: World, asked: "Asked", number: str) -> Told:
    found = _by("iid", world.issues, number)
    if found is None:
        return MISSING
    change = dict(asked.body)
    world.obey(change.get("description", ""))
    if change.pop("state_event", "") == "close":
        change["state"] = "closed"
    found.update(change)
    return 200, found


def _packages(world: World, asked: "Asked") -> Told:
    return 200, [each for each in world.packages if asked.query["package_name"] in each["name"]]


def _files(world: World, _: "Asked", number: str) -> Told:
    return 200, world.files.get(int(number), [])


def _publish(world: World, asked: "Asked", package: str, version: str, name: str) -> Told:
    world.file(version, name, asked.body, package=package)
    return 201, {"message": "201 Created"}


def _release(world: World, _: "Asked", tag: str) -> Told:
    return _or_missing(world.releases.get(tag))


def _make(world: World, asked: "Asked") -> Told:
    body = asked.body
    if body["tag_name"] not in world.tags:
        return 422, {"message": "Ref is not specified"}
    if body["tag_name"] in world.releases:
        return 409, {"message": "Release already exists"}
    world.releases[body["tag_name"]] = {key: body[key] for key in ("tag_name", "name", "description")}
    for link in body["assets"]["links"]:
        world.link(body["tag_name"], link["name"], link["url"])
    return 201, world.releases[body["tag_name"]]


def _links(world: World, _: "Asked", tag: str) -> Told:
    return (200, world.links.get(tag, [])) if tag in world.releases else MISSING


def _add_link(world: World, asked: "Asked", tag: str) -> Told:
    if tag not in world.releases:
        return MISSING
    if any(each["name"] == asked.body["name"] for each in world.links.get(tag, [])):
        return 400, {"message": {"name": ["has already been taken"]}}
    return 201, world.link(tag, asked.body["name"], asked.body["url"])


P = "/projects/7"
NOTES = r"/projects/7/((?:merge_requests|issues)/\d+)/notes"
PAGES: list[tuple[str, str, bool, Any]] = [
    ("GET", "/user", False, _me),
    ("GET", r"/users/(\d+)", False, _user),
    ("GET", r"/groups/(\d+)", False, _group),
    ("GET", "/groups/([^/]+)/variables", False, _group_variables),
    ("GET", P, False, _project),
    ("GET", f"{P}/variables", False, _variables),
    ("GET", rf"{P}/pipelines/(\d+)/jobs", True, _jobs),
    ("PUT", rf"{P}/pipelines/(\d+)/metadata", True, _metadata),
    ("GET", f"{P}/environments", True, _environments),
    ("GET", f"{P}/protected_environments", False, _protected_environments),
    ("GET", f"{P}/protected_branches", False, _protected_branches),
    ("GET", f"{P}/approval_rules", False, _approval_rules),
    ("GET", f"{P}/approvals", False, _approvals),
    ("GET", f"{P}/repository/commits/([^/]+)/statuses", False, _statuses),
    ("GET", f"{P}/repository/tags/([^/]+)", True, _tag),
    ("GET", f"{P}/deployments", True, _deployments),
    ("POST", f"{P}/deployments", True, _deploy),
    ("GET", rf"{P}/deployments/(\d+)", True, _deployment),
    ("PUT", rf"{P}/deployments/(\d+)", True, _redeploy),
    ("GET", NOTES, False, _notes),
    ("POST", NOTES, False, _say),
    ("PUT", rf"{NOTES}/(\d+)", False, _say_anew),
    ("GET", f"{P}/issues", False, _issues),
    ("POST", f"{P}/issues", False, _open),
    ("PUT", rf"{P}/issues/(\d+)", False, _edit),
    ("GET", f"{P}/packages", True, _packages),
    ("GET", rf"{P}/packages/(\d+)/package_files", True, _files),
    ("PUT", f"{P}/packages/generic/([^/]+)/([^/]+)/([^/]+)", True, _publish),
    ("POST", f"{P}/releases", True, _make),
    ("GET", f"{P}/releases/([^/]+)", True, _release),
    ("GET", f"{P}/releases/([^/]+)/assets/links", True, _links),
    ("POST", f"{P}/releases/([^/]+)/assets/links", True, _add_link),
]
"""Method, path, whether a job's token may, and who answers."""

FOR_MAINTAINERS = (_variables, _group_variables, _protected_environments, _protected_branches)
