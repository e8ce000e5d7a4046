"""What docker is called with."""

from ci_lib.builders import commands
from ci_lib.domain.build import Order

PLAIN = Order(
    name="api", repository="r.example/api", version="v1", context="/src", dockerfile="/src/Dockerfile"
)
WHOLE = Order(
    name="api",
    repository="r.example/api",
    version="v1",
    tags=("main",),
    context="/src",
    dockerfile="/src/d",
    target="run",
    args={"A": "--b $(c)"},
    args_env=("TOKEN",),
    secrets={"npm": "NPM_TOKEN"},
    platforms=("linux/amd64", "linux/arm64"),
    cache_from=("type=gha",),
    cache_to=("type=gha,mode=max",),
    labels={"k": "v"},
    env={"TOKEN": "hidden"},
)


def test_the_plain_build_of_each_builder() -> None:
    assert commands.build(PLAIN) == (
        *("docker", "build", "--file=/src/Dockerfile", "--tag=r.example/api:v1", "/src"),
    )
    assert commands.build_and_push(PLAIN, "/room/api.json") == (
        *("docker", "buildx", "build", "--progress=plain", "--push", "--metadata-file=/room/api.json"),
        *("--file=/src/Dockerfile", "--tag=r.example/api:v1", "/src"),
    )


def test_everything_is_one_word_with_its_option_and_no_value_of_a_variable_is_there() -> None:
    argv = commands.build_and_push(WHOLE, "/room/api.json")
    assert argv[6:] == (
        "--secret=id=npm,env=NPM_TOKEN",
        "--platform=linux/amd64,linux/arm64",
        "--cache-to=type=gha,mode=max",
        "--file=/src/d",
        "--target=run",
        "--build-arg=A=--b $(c)",
        "--build-arg=TOKEN",
        "--cache-from=type=gha",
        "--label=k=v",
        "--tag=r.example/api:main",
        "--tag=r.example/api:v1",
        "/src",
    )
    assert "hidden" not in " ".join(argv)


def test_the_password_of_a_login_is_not_in_the_command() -> None:
    argv = commands.login("r.example", "--help")
    assert argv == ("docker", "login", "--username=--help", "--password-stdin", "r.example")
