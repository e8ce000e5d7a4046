"""`records:`: a directory, or a branch of a git remote."""

from collections.abc import Callable

import pytest

from ci_lib.config.load import load
from ci_lib.config.records import GitRecords
from ci_lib.config.resolve import resolve
from ci_lib.config.rules import check_runner
from ci_lib.config.show import render
from ci_lib.domain.errors import ConfigFault

Ask = Callable[[str], list[str]]
ADDRESS = (
    "write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or a folder that begins with "
    "/, ./ or ../; no login stands in it"
)
SSH = 'SSH needs "known_hosts", a file with the host\'s public keys (see ssh-keyscan)'


def written(good: str, records: str) -> str:
    return good.replace("{path: records}", f"{{{records}}}")


@pytest.mark.parametrize(
    "records",
    [
        "store: git",
        "store: git, branch: ops/records-2",
        "store: git, token_env: TOKEN",
        "store: git, remote: 'https://github.com/acme/shop.git', token_env: TOKEN, username: oauth2",
        "store: git, remote: 'http://127.0.0.1:8080/x', token_env: TOKEN",
        "store: git, remote: 'ssh://git@[::1]:2222/~/x.git', known_hosts: ops/known_hosts, key_env: KEY",
        "store: git, remote: 'git@github.com:acme/shop.git', known_hosts: ops/known_hosts",
        "store: git, known_hosts: ops/known_hosts, key_env: KEY",
        "store: git, remote: /srv/records.git",
        "store: git, remote: ../räte und tat.git",
    ],
)
def test_a_branch_can_be_the_ledger(good: str, mistakes: Ask, records: str) -> None:
    assert mistakes(written(good, records)) == []


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        ("store: gti", 'records.store: "gti" is not one of directory, git, did you mean "git"?'),
        ("store: 3", "records.store: 3 is not one of directory, git"),
        ("store: git, path: x", 'records.path: belongs to "store: directory"'),
        ("path: x, branch: y", 'records.branch: belongs to "store: git"'),
        ("store: git, brunch: y", 'records.brunch: unknown key, did you mean "branch"?'),
        ("store: git, branch: -x", None),
        ("store: git, branch: a..b", None),
        ("store: git, branch: a//b", None),
        ("store: git, branch: a/", None),
        ("store: git, branch: 'a b'", None),
        ('store: git, branch: "a\\n"', None),
        ('store: git, branch: "a\\u0000b"', 'records.branch: "a\\x00b" holds a control character'),
        ("store: git, branch: x.lock", 'records.branch: git allows no name that ends in ".lock"'),
        ("store: git, remote: --upload-pack=x", None),
        ("store: git, remote: 'ext::sh -c id'", None),
        ("store: git, remote: 'https://kim:secret@h/x'", None),
        ("store: git, remote: 'https://-h/x'", None),
        ("store: git, remote: 'ssh://-oProxyCommand=x/y'", None),
        ("store: git, remote: 'git@-oProxyCommand=x:y'", None),
        ("store: git, remote: 'git@h:-x'", None),
        ('store: git, remote: "/srv/a\\nb"', None),
        ("store: git, remote: records.git", None),
        ("store: git, remote: 'http://git.example/x'",
         "records.remote: must be https://, or the ledger can be forged on its way"),
        ("store: git, remote: '/srv/{stack}'",
         "records.remote: nothing is filled in here: all stacks share one place for records"),
        ("store: git, remote: 'git@h:x'", f"records: {SSH}"),
        ("store: git, key_env: KEY", f"records: {SSH}"),
        ("store: git, remote: 'git@h:x', known_hosts: k, token_env: T",
         'records.token_env: needs an https:// "remote"'),
        ("store: git, remote: /srv/x, token_env: T", 'records.token_env: needs an https:// "remote"'),
        ("store: git, known_hosts: k, key_env: K, token_env: T",
         'records: has both "token_env" and "key_env": keep one'),
        ("store: git, username: kim", 'records.username: needs "token_env"'),
        ("store: git, remote: 'https://h/x', known_hosts: k",
         'records.known_hosts: needs an SSH "remote", such as git@github.com:acme/shop.git'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_branch_is_said(
    good: str, mistakes: Ask, records: str, wrong: str | None
) -> None:
    (found,) = mistakes(written(good, records))
    if wrong is None:
        assert "does not fit: " in found
    else:
        assert found == f"deploy.yml:2: {wrong}"


def test_an_address_that_does_not_fit_is_told_what_would(good: str, mistakes: Ask) -> None:
    text = written(good, "store: git, remote: 'ext::sh -c id'")
    assert mistakes(text) == [f'deploy.yml:2: records.remote: "ext::sh -c id" does not fit: {ADDRESS}']


def test_a_branch_suits_hosted_runners_and_any_number_of_hosts(good: str) -> None:
    text = written(good, "store: git").replace(
        "  here: {local: true}", "  here: {local: true}\n  there: {ssh: a@b, known_hosts: k}"
    )
    text = text.replace("owner: operations, hosts: [here]", "owner: operations, hosts: [there]")
    check_runner(load(text, name="deploy.yml").config, hosted=True)


def test_a_repository_in_a_folder_vanishes_with_a_hosted_runner(good: str) -> None:
    config = load(written(good, "store: git, remote: ../records.git"), name="deploy.yml").config
    check_runner(config, hosted=False)
    with pytest.raises(ConfigFault, match="records are kept on this runner"):
        check_runner(config, hosted=True)


def test_a_folder_starts_where_deploy_yml_lies_and_an_address_stays(good: str) -> None:
    for remote, found in (("../records.git", "/records.git"), ("https://h/x", "https://h/x")):
        loaded = load(written(good, f"store: git, remote: '{remote}'"), name="deploy.yml")
        records = resolve(loaded, "shop", "staging", "/repo").records
        assert isinstance(records, GitRecords)
        assert records.remote == found


def test_a_resolved_configuration_shows_the_branch(good: str) -> None:
    loaded = load(written(good, "store: git, token_env: TOKEN"), name="deploy.yml")
    shown = render(resolve(loaded, "shop", "staging", "/repo"))
    expected = "records:\n  store: git\n  branch: deploy-records\n  token_env: TOKEN\n"
    assert expected in shown
