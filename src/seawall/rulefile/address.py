"""Addresses of dYdX accounts: bech32 with its checksum (BIP-173)."""

from __future__ import annotations

from seawall.rulefile.literals import LiteralError

_PREFIX = "dydx"
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_LENGTHS = (43, 63)  # a key's hash of 20 bytes, a module's of 32


def dydx_address(text: str) -> str:
    """An address whose checksum holds; raises LiteralError."""
    body = text.removeprefix(f"{_PREFIX}1")
    if body == text or len(text) not in _LENGTHS or any(c not in _ALPHABET for c in body):
        raise LiteralError(f"`{text}`: an address like `dydx1...` of 43 characters is expected")
    if _checksum(body) != 1:
        raise LiteralError(f"`{text}`: the address has a typo, its checksum does not hold")
    return text


def _checksum(body: str) -> int:
    prefix = [ord(c) >> 5 for c in _PREFIX] + [0] + [ord(c) & 31 for c in _PREFIX]
    state = 1
    for value in (*prefix, *(_ALPHABET.index(c) for c in body)):
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= term
    return state
