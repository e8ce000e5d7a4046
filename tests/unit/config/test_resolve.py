import pytest

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import ConfigFault, UsageFault


def resolved(
    text: str, stack: str = "shop", environment: str = "production", folder: str = "/repo"
) -> Resolved:
    return resolve(load(text, name="deploy.yml"), stack, environment, folder)


def test_an_environment_that_the_stack_does_not_mention_gets_the_stacks_settings(good: str) -> None:
    made = resolved(good)
    assert made.settings.compose.run_dir == "/srv/stacks/shop-production"
    assert made.settings.compose.project == "shop-production"
    assert made.place.owner == "operations"
    assert made.host == "here"
    assert made.managed == frozenset({"backend"})
    assert made.history_name == "shop"


def test_an_environments_differences_are_laid_over(good: str) -> None:
    text = good + "    environments: {production: {compose: {project: shop-prod}, history_env: prod}}\n"
    made = resolved(text)
    assert made.settings.compose.project == "shop-prod"
    assert made.settings.compose.source == "shop"
    assert made.history_env == "prod"
    assert resolved(text, environment="staging").settings.compose.project == "shop-staging"


def test_an_environment_knows_who_requires_it(good: str) -> None:
    assert resolved(good, environment="staging").required_by == ("production",)
    assert resolved(good).required_by == ()


def test_an_unknown_stack_is_told_with_the_nearest_and_all_names(good: str) -> None:
    with pytest.raises(UsageFault) as caught:
        resolved(good, stack="shpo")
    assert caught.value.message == 'there is no stack "shpo" in deploy.yml, did you mean "shop"?'
    assert caught.value.hint == "its stacks are: shop"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("prod", 'there is no environment "prod" in deploy.yml, did you mean "production"?'),
        ("qa", 'there is no environment "qa" in deploy.yml'),
        ("$(id)\n", 'there is no environment "$(id)\\n" in deploy.yml'),
    ],
)
def test_an_unknown_environment_is_told_with_all_names(good: str, wrong: str, message: str) -> None:
    with pytest.raises(UsageFault) as caught:
        resolved(good, environment=wrong)
    assert caught.value.message == message
    assert caught.value.hint == "its environments are: staging, production"
    assert caught.value.exit == 2


def test_the_hash_changes_with_what_is_deployed_and_where(good: str) -> None:
    made = resolved(good).config_hash
    changed = [
        good.replace("source: shop", "source: shop2"),
        good.replace("acme/api", "acme/api2"),
        good.replace("owner: operations", "owner: ops"),
    ]
    hashes = {made, resolved(good, environment="staging").config_hash}
    hashes |= {resolved(text).config_hash for text in changed}
    assert len(hashes) == 5
    assert all(len(one) == 64 for one in hashes)


def test_the_hash_does_not_change_with_how_it_is_written_or_where_it_is_checked_out(good: str) -> None:
    made = resolved(good).config_hash
    assert resolved(good, folder="/elsewhere").config_hash == made
    assert (
        resolved(
            "# a comment\n" + good.replace("source: shop", "files: [docker-compose.yml], source: shop")
        ).config_hash
        == made
    )
    assert resolved(good.replace("owner: team", "owner: others")).config_hash == made


PROCESS = """\
version: 1
records: {path: ../records}
hosts: {here: {local: true}, far: {ssh: a@b, known_hosts: k}}
environments:
  staging: {tier: staging, owner: team, hosts: [here]}
stacks:
  shop:
    target: process
    images: {web: {repository: builds, services: [web]}}
    process: {services: {web: {command: [serve]}}}
"""


def test_local_folders_are_found_from_the_files_own(good: str) -> None:
    made = resolved(PROCESS, environment="staging")
    assert made.settings.process.run_dir == "/repo/.deploy-actions/shop-staging"
    assert made.records.path == "/records"
    assert resolved(good.replace("path: records", "path: r, host: here")).records.path == "/repo/r"


def test_folders_on_another_host_stay_as_they_are(good: str) -> None:
    text = good.replace("{local: true}", "{ssh: a@b, known_hosts: k}").replace(
        "path: records", "path: /r, host: here"
    )
    assert resolved(text).records.path == "/r"


def test_an_absolute_folder_stays_as_it_is() -> None:
    text = PROCESS.replace("process: {s", "process: {run_dir: '/tmp/{stack}/{environment}', s")
    assert resolved(text, environment="staging").settings.process.run_dir == "/tmp/shop/staging"


def test_a_process_cannot_run_on_another_host() -> None:
    text = PROCESS.replace("hosts: [here]", "hosts: [far]")
    with pytest.raises(ConfigFault) as caught:
        resolved(text, environment="staging")
    assert caught.value.message == (
        'deploy.yml:8: stacks.shop.target: the target "process" works on a local host alone, and'
        ' staging is on "far"'
    )


def test_a_process_cannot_run_with_sudo() -> None:
    with pytest.raises(ConfigFault) as caught:
        resolved(PROCESS.replace("{local: true}", "{local: true, sudo: true}"), environment="staging")
    assert caught.value.message == (
        'deploy.yml:8: stacks.shop.target: the target "process" cannot use sudo, and staging is on "here",'
        ' which has "sudo: true"'
    )
