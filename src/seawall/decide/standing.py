"""Conditions told every tick while they last: prices that cannot be believed, key, reach and float.

They are no rules, because a guard that cannot see or act must say so whatever the rules are.
"""

from __future__ import annotations

from collections.abc import Iterator

from seawall import words
from seawall.account import Observation
from seawall.decide.memory import Memory, Message, Repeats, Urgency
from seawall.limits import TOP_UP_LEAST
from seawall.measures import prices
from seawall.measures.spec import Unit
from seawall.policy import Level, Mode, Policy, TopUpUntil
from seawall.units import MINUTE, usd

KEY_FAULT = "key/trading"
KEY_REACH = "key/reach"
WATCHED = "outside_reach"  # the measure of a rule that says the same
FLOAT_EMPTY = "key/float"
BAD_PRICE = "prices"


def conditions(policy: Policy, memory: Memory, seen: Observation, mode: Mode) -> Iterator[Message]:
    """A page for each condition that holds now; key and float only live, where they are used."""
    yield from _bad_prices(policy, memory, seen)
    if mode is Mode.DRY_RUN:
        return
    if seen.advice.key_faults:
        yield Message(
            urgency=Urgency.PAGE,
            key=KEY_FAULT,
            repeats=Repeats.WHILE_SO,
            text=f"The guard cannot rely on its key: {'; '.join(seen.advice.key_faults)}.",
        )
    if (message := _out_of_reach(policy, seen)) is not None:
        yield message
    if (message := _float_empty(policy, seen)) is not None:
        yield message


def _out_of_reach(policy: Policy, seen: Observation) -> Message | None:
    """A page for the open positions that the key cannot close; None where a rule watches that."""
    if any(rule.measure.name == WATCHED for rule in policy.rules):
        return None
    beyond = [
        f"{number}/{ticker}"
        for number, ticker in seen.beyond_reach()
        if not policy.hands_off.covers(number, ticker)
    ]
    if not beyond:
        return None
    return Message(
        urgency=Urgency.PAGE,
        key=KEY_REACH,
        repeats=Repeats.WHILE_SO,
        text=(
            f"The trading key cannot trade {', '.join(beyond)}: no rule can reduce it and no stop "
            "can be placed for it. Give the key a permission that names it (`seawall keys "
            "grant`), close it by hand, or put it under hands_off."
        ),
    )


def _bad_prices(policy: Policy, memory: Memory, seen: Observation) -> Iterator[Message]:
    """A page for each held market whose oracle price the book denies (RULES.md section 2).

    A price that comes and goes stands for a minute, so that it pages once and not every block.
    """
    for ticker in sorted({p.ticker for one in seen.subaccounts for p in one.positions}):
        key = f"{BAD_PRICE}/{ticker}"
        page = memory.pages.get(key)
        if prices.unreliable(seen, (ticker,), policy.price_band) is not None:
            text = _denied(policy, seen, ticker)
        elif page is not None and seen.seen_at - page.sent_at < MINUTE:
            text = page.text
        else:
            continue
        yield Message(urgency=Urgency.PAGE, key=key, repeats=Repeats.WHILE_SO, text=text)


def _denied(policy: Policy, seen: Observation, ticker: str) -> str:
    market, mid_twice = seen.markets[ticker], prices.fresh_mid(seen, ticker)
    assert mid_twice is not None
    gap = words.show(prices.gap(market, mid_twice), Unit.RATIO)
    band = words.percent(policy.price_band)
    oracle, mid = words.price(market.oracle_dollars), words.price(market.dollars(mid_twice) / 2)
    return (
        f"{ticker}: the oracle price {oracle} is {gap} from the book's mid {mid}, limit {band}. "
        "Profit-and-loss and exposure rules that contain it have no data until they agree; "
        "margin, liquidation and stress go on by the oracle, as the chain does. Look at the market."
    )


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
        repeats=Repeats.WHILE_SO,
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
