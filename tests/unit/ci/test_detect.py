from ci_lib.ci.detect import detect

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "deploy",
    "GITHUB_ACTOR": "alice",
    "GITHUB_TRIGGERING_ACTOR": "bob",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF": "refs/heads/main",
    "RUNNER_ENVIRONMENT": "github-hosted",
    "RUNNER_NAME": "GitHub Actions 3",
}


def test_github_says_who_runs_what_and_where() -> None:
    facts = detect(GITHUB, local_owner="local:x")
    assert facts.provider == "github"
    assert facts.owner == "github:acme/shop/7/2/deploy@GitHub Actions 3"
    assert facts.actor == "bob"
    assert facts.run_url == "https://github.example/acme/shop/actions/runs/7/attempts/2"
    assert (facts.sha, facts.ref, facts.hosted) == ("c0ffee", "refs/heads/main", True)


def test_legs_of_a_matrix_are_different_owners() -> None:
    other = detect(GITHUB | {"RUNNER_NAME": "GitHub Actions 4"}, local_owner="")
    assert other.owner != detect(GITHUB, local_owner="").owner


def test_a_self_hosted_runner_with_little_to_say_is_still_github() -> None:
    facts = detect({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "alice"}, local_owner="local:x")
    assert (facts.provider, facts.actor, facts.run_url, facts.hosted) == ("github", "alice", "", False)


def test_anything_else_is_local() -> None:
    facts = detect({"GITHUB_ACTIONS": "false", "USER": "carol"}, local_owner="local:box:1:2")
    assert (facts.provider, facts.owner, facts.actor) == ("local", "local:box:1:2", "carol")
    assert detect({}, local_owner="x").actor == "unknown"
