"""What protects a branch and an environment on GitHub.

A branch has rulesets (of the repository, the organisation, the enterprise) and the older "branch protection":
all apply, and the strictest word counts. The older one is shown to administrators alone.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from github.Repository import Repository

from ci_lib.domain.forge import BranchRules, EnvironmentRules, ForgeFault
from ci_lib.domain.text import one_line
from ci_lib.forge.github_client import asking
from ci_lib.forge.github_json import number, one, pages, text
from ci_lib.forge.github_transport import GitHubFault

_WHO_MAY = "a token of its own with `administration: read`; a job's token cannot have it"


_WILDCARDS = frozenset("*?/")
"""A pattern of these alone (``*``, ``**/*``) fits branches that whoever pushes can make: it chooses none."""


def branch_rules(repo: Repository, branch: str) -> BranchRules:
    """What protects a branch; raises ``ForgeFault`` also where only a part of it is shown."""
    shown, name = one_line(branch), quote(branch, safe="")
    with asking(f"the protection of {shown}", needs="contents: read"):
        rules = list(pages(repo, f"/rules/branches/{name}"))
        # Says without an administrator's token whether there is protection of the older kind.
        older = one(repo, f"/branches/{name}")["protection"].get("enabled") is not False
        found = [_of_rulesets(repo, rules)] if rules else []
    if older:
        with asking(f"the branch protection of {shown}", needs=_WHO_MAY):
            found += [_older(answer) for answer in _protection(repo, name)]
    return _together(found)


def _together(found: list[BranchRules]) -> BranchRules:
    return BranchRules(
        protected=bool(found),
        checks=tuple(sorted({check for rules in found for check in rules.checks})),
        reviews=max((rules.reviews for rules in found), default=0),
        owners=any(rules.owners for rules in found),
        rewritable=all(rules.rewritable for rules in found),
        bypass="; ".join(rules.bypass for rules in found if rules.bypass),
    )


def _of_rulesets(repo: Repository, rules: list[dict[str, Any]]) -> BranchRules:
    kinds = {text(rule, "type") for rule in rules}
    requests = [rule["parameters"] for rule in rules if rule["type"] == "pull_request"]
    checks = [rule["parameters"] for rule in rules if rule["type"] == "required_status_checks"]
    exempt = [_exempt(repo, ruleset) for ruleset in sorted({number(rule, "ruleset_id") for rule in rules})]
    return BranchRules(
        protected=True,
        checks=tuple(text(check, "context") for found in checks for check in found["required_status_checks"]),
        reviews=max((number(found, "required_approving_review_count") for found in requests), default=0),
        owners=any(found["require_code_owner_review"] is True for found in requests),
        rewritable="non_fast_forward" not in kinds,
        bypass="; ".join(filter(None, exempt)),
    )


def _exempt(repo: Repository, ruleset: int) -> str:
    """Who may pass a ruleset by, in words."""
    try:
        found = one(repo, f"/rulesets/{ruleset}")
        if number(found, "id") != ruleset:
            raise TypeError
    except GitHubFault as fault:
        if fault.status not in (403, 404):
            raise
        found = {}
    if "bypass_actors" not in found:
        return f"whom ruleset {ruleset} exempts is shown to those alone who may change it"
    kinds = sorted({text(actor, "actor_type") for actor in found["bypass_actors"]})
    return f"ruleset {ruleset}: {', '.join(kinds)}" if kinds else ""


def _protection(repo: Repository, name: str) -> Iterator[dict[str, Any]]:
    """The older protection, once or not at all; a bare 404 means that it is not shown."""
    try:
        yield one(repo, f"/branches/{name}/protection")
    except GitHubFault as fault:
        if not (fault.status == 404 and fault.said == "Branch not protected"):
            raise


def _older(found: dict[str, Any]) -> BranchRules:
    checks = found.get("required_status_checks") or {}
    reviews = found.get("required_pull_request_reviews") or {}
    allowed = reviews.get("bypass_pull_request_allowances") or {}
    exempt = [] if found["enforce_admins"]["enabled"] is True else ["administrators"]
    people = [who for kind in allowed.values() if isinstance(kind, list) for who in kind]
    exempt += [one_line(str(who.get("login") or who.get("slug"))) for who in people]
    return BranchRules(
        protected=True,
        checks=tuple(str(name) for name in checks.get("contexts", [])),
        reviews=int(reviews.get("required_approving_review_count", 0)),
        owners=reviews.get("require_code_owner_reviews") is True,
        rewritable=found["allow_force_pushes"]["enabled"] is not False,
        bypass=f"branch protection: {', '.join(exempt)}" if exempt else "",
    )


def environment_rules(repo: Repository, environment: str) -> EnvironmentRules | None:
    """What protects an environment; None where there is none of that name. Raises ``ForgeFault``."""
    with asking(f"the protection of {one_line(environment)}", needs="actions: read"):
        try:
            found = one(repo, f"/environments/{quote(environment, safe='')}")
        except GitHubFault as fault:
            if fault.status != 404:
                raise
            # A 404 may also mean that we may not see it: then its list is not shown either.
            for name in pages(repo, "/environments", "environments"):
                if text(name, "name").lower() == environment.lower():
                    raise
            return None
        rules = [rule for rule in found["protection_rules"] if rule["type"] == "required_reviewers"]
        people = [_reviewer(repo, who) for rule in rules for who in rule["reviewers"]]
        return EnvironmentRules(
            reviewers=tuple(sorted(people)),
            approvals=1 if people else 0,
            self_review=not any(rule.get("prevent_self_review") is True for rule in rules),
            branches=_branches(repo, found, environment),
            # Not there is not "no": an Enterprise Server without the setting lets administrators pass.
            bypass="" if found.get("can_admins_bypass") is False else "administrators",
        )


def _reviewer(repo: Repository, who: dict[str, Any]) -> str:
    """As CODEOWNERS writes people and teams; a team is one of the organisation that owns the repository."""
    if who["type"] == "Team":
        return f"@{repo.url.rsplit('/', 2)[-2]}/{one_line(text(who['reviewer'], 'slug'))}"
    return f"@{one_line(text(who['reviewer'], 'login'))}"


def _branches(repo: Repository, found: dict[str, Any], environment: str) -> tuple[str, ...]:
    policy = found["deployment_branch_policy"]
    if policy is None:
        return ()
    if policy["protected_branches"]:
        # Where no branch is protected, GitHub lets all of them deploy.
        return tuple(sorted(text(branch, "name") for branch in pages(repo, "/branches", protected="true")))
    path = f"/environments/{quote(environment, safe='')}/deployment-branch-policies"
    named = [
        ("refs/tags/" if entry.get("type") == "tag" else "") + text(entry, "name")
        for entry in pages(repo, path, "branch_policies")
    ]
    if any(set(pattern) <= _WILDCARDS for pattern in named):
        return ()
    if not named:
        raise ForgeFault(
            f"{one_line(environment)} lets no branch deploy: its list of them is empty",
            hint="name a branch in the environment's settings",
        )
    return tuple(sorted(named))
