import pytest

from ci_lib.cli.approval_files import owners_of

PATH = "approvals/login.yml"


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        ("", ()),
        ("* @ops\n", ("@ops",)),
        ("/approvals/ @bob @carol\n", ("@bob", "@carol")),
        ("approvals/ @bob\n", ("@bob",)),
        ("/approvals/* @bob\n", ("@bob",)),
        ("/approvals/** @bob\n", ("@bob",)),
        ("/approvals/login.yml @bob # who is on call\n", ("@bob",)),
        ("approvals @bob\n", ("@bob",)),
        ("/docs/ @bob\n", ()),
        ("/other/approvals/ @bob\n", ()),
        ("/approvals/logout.yml @bob\n", ()),
        ("/approv @bob\n", ()),
        ("# /approvals/ @bob\n", ()),
        ("* @ops\n/approvals/ @bob\n", ("@bob",)),
        ("/approvals/ @bob\n* @everybody\n", ("@everybody",)),
        ("/approvals/ @bob\n/approvals/\n", ()),
        ("[Releases]\n/approvals/ @bob\n", ("@bob",)),
        ("/approvals/ @bob\n*.yml @everybody\n", None),
        ("*.yml @everybody\n/approvals/ @bob\n", ("@bob",)),
        ("/approvals/l?gin.yml @bob\n", None),
        ("/**/login.yml @bob\n", None),
        ("!/approvals/ @bob\n", None),
    ],
)
def test_the_last_line_of_codeowners_that_fits_names_the_owners(
    text: str, owners: tuple[str, ...] | None
) -> None:
    assert owners_of(PATH, text) == owners


def test_a_pattern_without_a_slash_means_every_folder_of_that_name() -> None:
    assert owners_of("team/approvals/login.yml", "approvals/ @bob\n") == ("@bob",)
    assert owners_of("team/approvals/login.yml", "/approvals/ @bob\n") == ()
