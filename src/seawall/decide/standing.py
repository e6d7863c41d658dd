"""Conditions of the guard's own means, told every tick while they last: its key and its float.

They are no rules, because a guard that cannot act must say so whatever the rules are.
"""

from __future__ import annotations

from collections.abc import Iterator

from seawall import words
from seawall.account import Observation
from seawall.decide.memory import Message, Urgency
from seawall.limits import TOP_UP_LEAST
from seawall.policy import Level, Mode, Policy, TopUpUntil
from seawall.units import usd

KEY_FAULT = "key/trading"
FLOAT_EMPTY = "key/float"


def conditions(policy: Policy, seen: Observation, mode: Mode) -> Iterator[Message]:
    """A page for each of the guard's means that fails it now; none on paper, where none is used."""
    if mode is Mode.DRY_RUN:
        return
    if seen.advice.key_faults:
        yield Message(
            urgency=Urgency.PAGE,
            key=KEY_FAULT,
            text=f"The guard cannot rely on its key: {'; '.join(seen.advice.key_faults)}.",
        )
    if (message := _float_empty(policy, seen)) is not None:
        yield message


def _float_empty(policy: Policy, seen: Observation) -> Message | None:
    source, wallet = policy.float_source, seen.float_wallet
    if source is None or wallet is None or not any(map(_tops_up, _levels(policy))):
        return None
    if usd(wallet.balance) - source.floor >= usd(TOP_UP_LEAST):
        return None
    has, floor = words.cents(usd(wallet.balance)), words.cents(source.floor)
    return Message(
        urgency=Urgency.PAGE,
        key=FLOAT_EMPTY,
        text=(
            f"The float wallet {wallet.address} holds {has} and keeps {floor}: no top-up can be "
            f"paid, and rules fall back on selling. Send USDC to it, or take top_up out of them."
        ),
    )


def _levels(policy: Policy) -> Iterator[Level]:
    for rule in policy.rules:
        if rule.mode is not Mode.DRY_RUN:
            yield from rule.levels


def _tops_up(level: Level) -> bool:
    return any(isinstance(do, TopUpUntil) for do in level.do)
