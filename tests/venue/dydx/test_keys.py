"""A key is read from where it is kept, and no message, repr or log ever shows it."""

from __future__ import annotations

import logging
import pickle
import re
import sys
import types
from pathlib import Path

import pytest

from seawall.errors import SettingsError
from seawall.venue.dydx.connection import Keys
from seawall.venue.dydx.keys import Key, check_float_key, load_key

# BIP-39's own test mnemonic, which holds nothing.
WORDS = (
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
)
ADDRESS = "dydx19rl4cm2hmr8afy4kldpxz3fka4jguq0a4erelz"
HEX = "11" * 32


def stored(folder: Path, secret: str, mode: int = 0o600) -> str:
    path = folder / "trading.key"
    path.write_text(secret)
    path.chmod(mode)
    return str(path)


def refusal(source: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_key(source, "keys.trading")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_a_mnemonic_gives_the_address_it_gives_everywhere(tmp_path: Path) -> None:
    key = load_key(stored(tmp_path, WORDS + "\n"), "keys.trading")

    assert key.address == ADDRESS
    assert len(key.public_key) == 33


@pytest.mark.parametrize("written", [HEX, "0x" + HEX, HEX.upper() + "\n"])
def test_a_private_key_in_hexadecimal_is_taken(tmp_path: Path, written: str) -> None:
    key = load_key(stored(tmp_path, written), "keys.trading")

    assert key.address.startswith("dydx1")


def test_the_environment_may_hold_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING", WORDS)

    assert load_key("env:TRADING", "keys.trading").address == ADDRESS


def test_the_keyring_may_hold_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = types.ModuleType("keyring")
    stored_secrets = {("seawall", "trading"): WORDS}
    monkeypatch.setattr(
        keyring,
        "get_password",
        lambda service, user: stored_secrets.get((service, user)),
        raising=False,
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)

    assert load_key("keyring:seawall/trading", "keys.trading").address == ADDRESS
    assert "the keyring holds nothing for seawall/other" in refusal("keyring:seawall/other")
    assert "must be keyring:SERVICE/USER" in refusal("keyring:seawall")


def test_a_keyring_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install 'seawall[keyring]'" in refusal("keyring:seawall/trading")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    source = stored(tmp_path, WORDS, mode)

    assert refusal(source).endswith(f"(mode {mode:04o}): run chmod 600 {source}")


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (WORDS.replace("about", "abandon"), "checksum is wrong"),
        (WORDS.replace("about", "abuot"), "word 12 of 12 is not in the English BIP-39 list"),
        ("abandon " * 13, "a mnemonic of 13 words: 12, 15, 18, 21, 24 are possible"),
        ("abandon", "one word that is not 64 hexadecimal digits"),
        ("11" * 31, "one word that is not 64 hexadecimal digits"),
        ("00" * 32, "no secp256k1 private key"),
        ("ff" * 32, "no secp256k1 private key"),
        ("", "a mnemonic of 0 words"),
    ],
)
def test_a_wrong_secret_names_the_source_and_never_a_word_of_it(
    tmp_path: Path, secret: str, said: str
) -> None:
    source = stored(tmp_path, secret)

    message = refusal(source)

    assert said in message
    assert message.startswith(f"keys.trading ({source})")
    for word in set(secret.split()):
        assert word not in re.sub(re.escape(source), "", message)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")

    assert missing in refusal(missing)
    assert "NOT_SET_ANYWHERE, which is not set" in refusal("env:NOT_SET_ANYWHERE")


def test_a_secret_is_in_no_repr_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = load_key(stored(tmp_path, HEX), "keys.trading")
    keys = Keys(trading=key, float_wallet=key)

    shown = f"{key!r} {key} {keys!r} {caplog.text}"

    assert HEX not in shown
    assert HEX.encode().hex() not in shown
    assert "_pair" not in shown


def test_a_key_cannot_be_pickled_away(tmp_path: Path) -> None:
    key = load_key(stored(tmp_path, HEX), "keys.trading")

    with pytest.raises(TypeError):
        pickle.dumps(key)


def key_of(folder: Path) -> Key:
    return load_key(stored(folder, WORDS), "keys.trading")


def test_a_float_key_of_another_wallet_is_refused(tmp_path: Path) -> None:
    key = key_of(tmp_path)

    check_float_key(key, ADDRESS)
    with pytest.raises(SettingsError, match="dydx1other"):
        check_float_key(key, "dydx1other")


def test_the_same_message_is_always_signed_with_the_same_bytes(tmp_path: Path) -> None:
    key = key_of(tmp_path)

    assert key.sign(b"bytes") == key.sign(b"bytes")
    assert len(key.sign(b"bytes")) == 64
