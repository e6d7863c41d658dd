"""The keys of demo accounts: mnemonics that anyone can derive from a seed, worth nothing anywhere.

They are real BIP-39 words on the chain's own derivation path, so that every dYdX client takes them.
Never send anything of value to their addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from bip_utils import Bip39MnemonicGenerator, Bip39SeedGenerator, Bip44, Bip44Coins
from coincurve import PrivateKey

from seawall.simulator.envelope import address_of

ENTROPY_BYTES = 32  # 24 words


@dataclass(frozen=True, kw_only=True)
class DemoKey:
    """A named key of the simulated venue."""

    name: str
    mnemonic: str

    @cached_property
    def address(self) -> str:
        """The dYdX address of the key."""
        seed = Bip39SeedGenerator(self.mnemonic).Generate()
        derived = Bip44.FromSeed(seed, Bip44Coins.COSMOS).DeriveDefaultPath()
        secret = derived.PrivateKey().Raw().ToBytes()
        return address_of(PrivateKey(secret).public_key.format(compressed=True))


def demo_key(seed: int, name: str) -> DemoKey:
    """The key of that name for a seed; the same for the same two."""
    entropy = sha256(f"seawall venue|{seed}|{name}".encode()).digest()[:ENTROPY_BYTES]
    return DemoKey(name=name, mnemonic=Bip39MnemonicGenerator().FromEntropy(entropy).ToStr())
