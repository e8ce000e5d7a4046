"""What protects a branch and an environment on GitLab.

All of it is shown to GITLAB_TOKEN alone. Protection of environments and approval rules are of GitLab Premium.
An environment may be protected once more by its tier in a group's settings, which is not looked at: what is
said here is then less than there is.

Sources: https://docs.gitlab.com/api/protected_branches/, https://docs.gitlab.com/api/protected_environments/,
https://docs.gitlab.com/api/merge_request_approvals/, https://docs.gitlab.com/api/projects/
"""

import re
from typing import Any, Final

from gitlab.v4.objects import Project

from ci_lib.domain.forge import BranchRules, EnvironmentRules
from ci_lib.domain.text import one_line
from ci_lib.forge.gitlab_client import Access, asking, own_token
from ci_lib.forge.gitlab_json import one, pages, text
from ci_lib.forge.gitlab_transport import GitLabFault

PIPELINE: Final = "pipeline"
"""The name of the one check that GitLab can ask for before a merge."""

_NOBODY: Final = 0
"""The access level that nobody has."""

_MAINTAINER: Final = 40
"""The access level of the role; that of developers, 30, is everybody who writes code."""

_NEEDS: Final = own_token("Maintainer", "read_api")
_NEEDS_PREMIUM: Final = f"{_NEEDS}; protected environments are of GitLab Premium"


def branch_rules(access: Access, branch: str) -> BranchRules:
    """What protects a branch; raises ``ForgeFault``.

    Of several rules whose patterns fit, GitLab lets the most generous say who may push or force-push, and
    asks for code owners where any of them does.
    """
    with asking(f"the protection of {one_line(branch)}", needs=_NEEDS):
        project = access.own(_NEEDS)
        rules = [rule for rule in pages(project, "/protected_branches") if fits(text(rule, "name"), branch)]
        if not rules:
            return BranchRules(protected=False, rewritable=True)
        settings = one(project, "")
        checked = settings["only_allow_merge_if_pipeline_succeeds"] is True
        reviews = _approvals(project, branch)
        return BranchRules(
            protected=True,
            checks=(PIPELINE,) if checked else (),
            reviews=reviews,
            self_review=reviews > 0 and _authors_approve(project),
            owners=any(rule.get("code_owner_approval_required") is True for rule in rules),
            rewritable=any(rule["allow_force_push"] is not False for rule in rules),
            open_to_push=any(_of_developers(level) for level in _pushers(rules)),
            bypass=_exempt(rules, settings, checked=checked),
        )


def fits(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern in which ``*`` stands for any text, as GitLab's do."""
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL))


def _exempt(rules: list[dict[str, Any]], settings: dict[str, Any], *, checked: bool) -> str:
    """Who may pass a merge request by, and what of its pipeline, in words."""
    pushers = sorted({_named(level) for level in _pushers(rules)})
    exempt = [f"may push without a merge request: {', '.join(pushers)}"] if pushers else []
    if checked and settings.get("allow_merge_on_skipped_pipeline") is True:
        exempt.append("a pipeline that was skipped is enough")
    return "; ".join(exempt)


def _pushers(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    levels = [level for rule in rules for level in rule["push_access_levels"]]
    return [level for level in levels if level["access_level"] != _NOBODY]


def _of_developers(level: dict[str, Any]) -> bool:
    """Whether a level is a role below that of maintainers; people and groups were chosen by their names."""
    if level["user_id"] is not None or level["group_id"] is not None or level["access_level"] is None:
        return False
    return int(level["access_level"]) < _MAINTAINER


def _named(level: dict[str, Any]) -> str:
    return one_line(text(level, "access_level_description"))


def _approvals(project: Project, branch: str) -> int:
    """How many people at least: one may count for several rules. None where GitLab has no such rules."""
    try:
        rules = list(pages(project, "/approval_rules"))
    except GitLabFault as fault:
        if fault.status != 404:
            raise
        return 0
    named = [
        int(rule["approvals_required"])
        for rule in rules
        if not rule["protected_branches"]
        or any(fits(text(each, "name"), branch) for each in rule["protected_branches"])
    ]
    return max(named, default=0)


def _authors_approve(project: Project) -> bool:
    return one(project, "/approvals")["merge_requests_author_approval"] is not False


def environment_rules(access: Access, environment: str) -> EnvironmentRules | None:
    """What protects an environment; None where there is none of that name. Raises ``ForgeFault``.

    ``approvals`` is the largest number that a rule asks for: one person may count for several rules.
    """
    shown = one_line(environment)
    with asking(f"whether there is an environment {shown}"):
        known = access.first(lambda project: list(pages(project, "/environments", name=environment)))
        if not any(text(each, "name") == environment for each in known):
            return None
    with asking(f"the protection of {shown}", needs=_NEEDS_PREMIUM):
        project = access.own(_NEEDS_PREMIUM)
        found = [rule for rule in pages(project, "/protected_environments") if rule["name"] == environment]
        return _of_environment(project, found[0]) if found else EnvironmentRules()


def _of_environment(project: Project, found: dict[str, Any]) -> EnvironmentRules:
    rules = [rule for rule in found.get("approval_rules") or [] if int(rule["required_approvals"]) > 0]
    deployers = found["deploy_access_levels"]
    counts = [int(rule["required_approvals"]) for rule in rules]
    old = int(found.get("required_approval_count") or 0)
    if not rules and old:  # the older kind: whoever may deploy may approve
        rules, counts = deployers, [old]
    settings = one(project, "") if counts else {}
    return EnvironmentRules(
        reviewers=_people(project, rules),
        approvals=max(counts, default=0),
        self_review=settings.get("allow_pipeline_trigger_approve_deployment") is not False,
        deployers=_people(project, deployers),
    )


def _people(project: Project, levels: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({_person(project, level) for level in levels}))


def _person(project: Project, level: dict[str, Any]) -> str:
    """``@user``, ``@group/path``, or GitLab's word for a role (``Maintainers``)."""
    if level.get("user_id") is not None:
        found = one(project, f"/{int(level['user_id'])}", below="/users")
        return f"@{one_line(text(found, 'username'))}"
    if level.get("group_id") is not None:
        found = one(project, f"/{int(level['group_id'])}", below="/groups")
        return f"@{one_line(text(found, 'full_path'))}"
    return _named(level)
