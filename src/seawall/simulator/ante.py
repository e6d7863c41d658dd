"""What pays and signs for a transaction, judged once more when its block runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seawall.simulator.authenticators import Permissions, Signed
from seawall.simulator.messages import ACCEPTED, CheckResult, Message
from seawall.simulator.wallets import Wallets
from seawall.units import QuoteQuantums


def timed_out(height: int, timeout_height: int) -> CheckResult:
    """The refusal of a transaction at a height beyond the last one that may hold it."""
    log = f"block height: {height}, timeout height: {timeout_height}: tx timeout height"
    return CheckResult(code=30, codespace="sdk", log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ante:
    """Fee payer, fee and sequence of a transaction, and the permissioned keys it was signed under.

    `sequence` is None where a timestamp nonce stands in its place. `timeout_height` is the last
    block that may hold it, 0 for any; the node judges it by the last block and not by the next, so
    what arrives at that height is taken and fails in its block.
    """

    payer: str
    fee: QuoteQuantums = QuoteQuantums(0)
    sequence: int | None = None
    timeout_height: int = 0
    public_key: bytes = b""
    authenticators: tuple[int, ...] = ()

    def run(
        self, permissions: Permissions, wallets: Wallets, messages: Sequence[Message]
    ) -> CheckResult:
        """Take the fee and use the sequence, or refuse and leave both.

        What CheckTx found may be over by now: earlier in the block the wallet may have paid its
        money away and the owner may have revoked the key (cosmos-sdk baseapp runTx runs the ante
        handler in both, and its writes are dropped where it fails).
        """
        wallet = wallets.known.get(self.payer)
        expected = wallet.sequence if wallet else 0
        if self.sequence is not None and self.sequence != expected:
            log = f"account sequence mismatch, expected {expected}, got {self.sequence}"
            return CheckResult(code=32, codespace="sdk", log=f"{log}: incorrect account sequence")
        for message, selected in zip(messages, self.authenticators, strict=False):
            signed = Signed(message=message, public_key=self.public_key)
            refused = permissions.refused(self.payer, selected, signed)
            if refused is not None:
                return refused
        paid = wallets.debit(self.payer, self.fee) if self.fee else ACCEPTED
        if paid.is_accepted and self.sequence is not None:
            wallets.increment_sequence(self.payer)
        return paid
