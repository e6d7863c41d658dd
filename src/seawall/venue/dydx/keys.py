"""Signing keys, read from where the operator keeps them, and never shown.

A source is one of `PATH` (a 0600 file), `env:VARIABLE`, `keyring:SERVICE/USER`; what is stored
there is a BIP-39 mnemonic or 64 hexadecimal digits. A message about a bad secret names its source
and what to do, never a word of it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol

from bip_utils import (
    Bip39Languages,
    Bip39MnemonicGenerator,
    Bip39MnemonicValidator,
    Bip39WordsNum,
    MnemonicChecksumError,
)
from bip_utils.bip.bip39.bip39_mnemonic_utils import Bip39WordsListGetter
from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.wallet import Wallet

from seawall.errors import SettingsError

ENVIRONMENT = "env:"
KEYRING = "keyring:"
WORD_COUNTS = (12, 15, 18, 21, 24)
HEX_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secp256k1 key; its secret is in no repr, comparison or message."""

    address: str
    public_key: bytes  # 33 bytes, compressed
    _pair: KeyPair = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature; the same message always gives the same bytes."""
        return bytes(self._pair.sign(message))


def load_key(source: str, setting: str) -> Key:
    """The key kept at `source`; raises SettingsError that names the setting and the remedy."""
    secret = _read(source, setting).strip()
    where = f"{setting} ({source})"
    compact = secret.removeprefix("0x")
    if " " not in secret and len(secret.split()) == 1:
        return _from_hex(compact, where)
    return _from_mnemonic(secret, where)


def new_secret() -> str:
    """A fresh mnemonic of 24 words, from the machine's own randomness."""
    return str(Bip39MnemonicGenerator().FromWordsNumber(Bip39WordsNum.WORDS_NUM_24))


def store_secret(source: str, secret: str) -> None:
    """Keep a secret in a new 0600 file or in the keyring, never in the place of another.

    Raises SettingsError.
    """
    if source.startswith(ENVIRONMENT):
        raise SettingsError("a key cannot be put into the environment: name a file or keyring:…")
    if source.startswith(KEYRING):
        _to_keyring(source.removeprefix(KEYRING), secret)
        return
    path = Path(source).expanduser()
    try:
        place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingsError(
            f"{path} is there already and stays as it is: name a new file"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(place, "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())


def check_float_key(key: Key, float_address: str) -> None:
    """Refuse a float key of another wallet than the one that top-ups come from."""
    if key.address != float_address:
        raise SettingsError(
            f"keys.float signs for {key.address}, but account.float.address in the rule file is "
            f"{float_address}: name the key of that wallet, or correct the address"
        )


def _from_hex(digits: str, where: str) -> Key:
    if len(digits) != HEX_DIGITS or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise SettingsError(
            f"{where} holds one word that is not {HEX_DIGITS} hexadecimal digits: "
            f"put a private key in hexadecimal or a mnemonic of {_counts()} words there"
        )
    try:
        pair = KeyPair.from_hex(digits)
    except ValueError:
        # The cause may quote the digits.
        raise SettingsError(
            f"{where} holds a number that is no secp256k1 private key: check how it was copied"
        ) from None
    return _key(pair)


def _from_mnemonic(secret: str, where: str) -> Key:
    words = secret.lower().split()
    if len(words) not in WORD_COUNTS:
        raise SettingsError(
            f"{where} holds a mnemonic of {len(words)} words: {_counts()} are possible, "
            "write all words on one line"
        )
    known = Bip39WordsListGetter().GetByLanguage(Bip39Languages.ENGLISH)
    for position, word in enumerate(words, start=1):
        try:
            known.GetWordIdx(word)
        except ValueError:
            raise SettingsError(
                f"{where}: word {position} of {len(words)} is not in the English BIP-39 list, "
                "check its spelling"
            ) from None
    try:
        Bip39MnemonicValidator(Bip39Languages.ENGLISH).Validate(" ".join(words))
    except MnemonicChecksumError:
        raise SettingsError(
            f"{where}: the mnemonic's checksum is wrong, so a word is wrong or in the wrong place: "
            "compare it with your backup"
        ) from None
    return _key(KeyPair.from_mnemonic(" ".join(words)))


def _key(pair: KeyPair) -> Key:
    return Key(
        address=str(Wallet(pair, 0, 0).address),
        public_key=bytes(pair.public_key_bytes),
        _pair=pair,
    )


def _counts() -> str:
    return ", ".join(str(count) for count in WORD_COUNTS)


def _read(source: str, setting: str) -> str:
    if source.startswith(ENVIRONMENT):
        return _from_environment(source.removeprefix(ENVIRONMENT), setting)
    if source.startswith(KEYRING):
        return _from_keyring(source.removeprefix(KEYRING), setting)
    return _from_file(Path(source).expanduser(), setting)


def _from_environment(name: str, setting: str) -> str:
    secret = os.environ.get(name, "")
    if not secret:
        raise SettingsError(
            f"{setting} names the environment variable {name}, which is not set: "
            f"set it, or name a file or keyring:SERVICE/USER in {setting}"
        )
    return secret


def _from_file(path: Path, setting: str) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"{path} ({setting}) can be read by others (mode {stat.S_IMODE(mode):04o}): "
                f"run chmod 600 {path}"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path} ({setting}) cannot be read: {error.strerror}. "
            f"Put the secret there (chmod 600), or use env:VARIABLE or keyring:SERVICE/USER"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"{path} ({setting}) is not text: it must hold a mnemonic or {HEX_DIGITS} "
            "hexadecimal digits"
        ) from None


class _Keyring(Protocol):
    def get_password(self, service: str, user: str, /) -> str | None: ...

    def set_password(self, service: str, user: str, password: str, /) -> None: ...


def _keyring(place: str, setting: str) -> tuple[_Keyring, str, str]:
    service, slash, user = place.partition("/")
    if not (service and slash and user):
        raise SettingsError(f"{setting}: keyring:{place} must be keyring:SERVICE/USER")
    try:
        keyring: _Keyring = import_module("keyring")
    except ImportError:
        raise SettingsError(
            f"{setting} names the keyring, which is not installed: "
            "pip install 'seawall[keyring]', or use a 0600 file"
        ) from None
    return keyring, service, user


def _to_keyring(place: str, secret: str) -> None:
    keyring, service, user = _keyring(place, "the new key")
    if keyring.get_password(service, user):
        raise SettingsError(f"the keyring holds something for {place}, which stays as it is")
    keyring.set_password(service, user, secret)


def _from_keyring(place: str, setting: str) -> str:
    keyring, service, user = _keyring(place, setting)
    secret = keyring.get_password(service, user)
    if not secret:
        raise SettingsError(
            f"{setting}: the keyring holds nothing for {place}: run keyring set {service} {user}"
        )
    return secret
