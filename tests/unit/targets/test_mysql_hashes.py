"""Hashes of passwords against what others made of the same ones."""

import pytest

from ci_lib.targets.compose.databases.mysql_hashes import CACHING, NATIVE, caching, fits, native, sha_crypt


def test_the_native_hash_is_the_one_of_the_servers_manual() -> None:
    assert native(b"test_password") == "*4414E26EDED6D661B5386813EBBA95065DBC4728"


@pytest.mark.parametrize(
    ("password", "salt", "digest"),
    [
        # `openssl passwd -5 -salt SALT PASSWORD`
        (b"Hello world!", b"saltstring", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        (b"x" * 70, b"0123456789abcdef", "PtktarChupU2HspS5L2tzUZeyI7SEI/LGbCZCyq.ic5"),
        # The example that hashcat has for MySQL, mode 7401: all 20 bytes of the salt count.
        (
            b"hashcat",
            bytes.fromhex("F9CC98CE08892924F50A213B6BC571A2C11778C5"),
            "bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/",
        ),
    ],
)
def test_the_digest_is_that_of_sha_crypt(password: bytes, salt: bytes, digest: str) -> None:
    assert sha_crypt(password, salt, 5000) == digest


def test_a_hash_fits_its_password_alone() -> None:
    salted = caching(b"secret")
    assert salted.startswith(b"$A$005$")
    assert len(salted) == 7 + 20 + 43
    assert salted != caching(b"secret")
    for plugin, stored in (
        (CACHING, salted),
        (CACHING, caching(b"secret", salt=b"\n$\\'" * 5, rounds=10)),
        (NATIVE, native(b"secret").encode()),
        ("", native(b"secret").lower().encode()),
    ):
        assert fits(plugin, stored, b"secret")
        assert not fits(plugin, stored, b"Secret")


@pytest.mark.parametrize(
    ("plugin", "stored"),
    [("ed25519", native(b"x").encode()), (CACHING, b""), (CACHING, native(b"x").encode()), (NATIVE, b"")],
)
def test_what_another_plugin_keeps_fits_nothing(plugin: str, stored: bytes) -> None:
    assert not fits(plugin, stored, b"x")
