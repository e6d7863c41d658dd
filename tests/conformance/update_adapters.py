"""How the venue's exchange is asked to change accounts as the chain's updates do.

What moves money alone goes through the venue's own messages, gate included; a trade or a plain
check through `updates.verdict`, stored where every side may have it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.simulator import liquidation, pools, ruler
from seawall.simulator.chain import to_price
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import Deposit, Transfer, TransferMessage, Withdraw
from seawall.simulator.ruler import Verdict
from seawall.simulator.state import Account
from seawall.simulator.updates import terms_after, verdict
from seawall.simulator.wallets import Gate, GateState, Wallets, carry_out
from seawall.units import QuoteQuantums
from tests.conformance.arena import exchange_of, held_of, is_account, spec_of, subaccount_id
from tests.conformance.ruler_adapters import USDC_ONLY
from tests.conformance.vectors import (
    Adapter,
    Json,
    NotOurs,
    flag,
    names,
    number,
    rows,
    table,
    text,
    ticker,
)

WALLET = "wallet"
NO_BALANCE = "nothing on the live chain sets a position's own balance"
TWICE = "no message and no match of the venue updates one subaccount twice"


def liquidation_daemon(given: Json, expected: Json) -> None:
    exchange = exchange_of(given, rows(given["subaccounts"]))
    listed = set(liquidation.marked(exchange))
    asked = [subaccount_id(text(one["id"])) for one in rows(given["subaccounts"])]
    due = [key for key in asked if liquidation.next_order(exchange, key, 0) is not None]
    listed_in_order = [key for key in asked if key in listed]
    negative = [key for key in listed_in_order if exchange.risk(exchange.settled(key)).nc < 0]
    assert due == [subaccount_id(one) for one in names(expected["liquidatable"])]
    assert negative == [subaccount_id(one) for one in names(expected["negative_tnc"])]
    assert listed == {*due, *negative}


def can_update_subaccounts(given: Json, expected: Json) -> None:
    if given["extra_assets"]:
        raise NotOurs(USDC_ONLY)
    exchange = exchange_of(given, rows(given["subaccounts"]))
    for key, custom in table(given["custom_imf_ppm"]).items():
        account = exchange.account(subaccount_id(key))
        by_id = {int(perpetual): number(ppm) for perpetual, ppm in table(custom).items()}
        exchange.store(replace(account, custom_imf_ppm=by_id))
    exchange.height = number(given["current_block"])
    if "error" in expected:
        _fails(exchange, given, text(expected["error"]))
    elif given["update_type"] in ("Withdrawal", "Transfer", "Deposit"):
        _moves(exchange, given, expected)
    else:
        _changes(exchange, given, expected)
    _left_alone_or_changed(exchange, expected)


def _fails(exchange: Exchange, given: Json, error: str) -> None:
    """What the chain answers with an error is no question to the venue, or has the same cause."""
    if error == "ErrNonUniqueUpdatesSubaccount":
        raise NotOurs(TWICE)
    if error == "ErrPerpetualDoesNotExist":
        with pytest.raises(KeyError):
            _befores(exchange, given)
    elif error == "ErrProductPositionNotUpdatable":
        (unpriced,) = (p for p in rows(given["perpetuals"]) if p["price"] == 0)
        with pytest.raises(AssertionError):
            to_price(spec_of(unpriced, {}), 0)
    elif error == "ErrInsufficientFunds":
        moved = _leaves_its_pool(exchange, given)
        assert moved > sum(map(number, table(given["collateral_pool_balances"]).values()))
    else:
        raise AssertionError(f"the venue has no answer to {error}")


def _leaves_its_pool(exchange: Exchange, given: Json) -> int:
    """Collateral that changes pools with isolated positions."""
    moved = 0
    for update, before in zip(rows(given["updates"]), _befores(exchange, given), strict=True):
        after = _after(exchange, before, update)
        added = _cash(update)
        found = pools.transition(after.held, after.usdc, added, _sizes(update), exchange.isolated)
        moved += 0 if found is None else found.quote
    return moved


def _cash(update: Json) -> int:
    return sum(number(one["quantums_delta"]) for one in rows(update["asset_updates"]))


def _sizes(update: Json) -> dict[int, int]:
    found: dict[int, int] = {}
    for one in rows(update["perpetual_updates"]):
        key = number(one["perpetual_id"])
        found[key] = found.get(key, 0) + number(one["quantums_delta"])
    return found


def _befores(exchange: Exchange, given: Json) -> list[Account]:
    updates = rows(given["updates"])
    return [exchange.settled(subaccount_id(text(one["subaccount_id"]))) for one in updates]


def _after(exchange: Exchange, before: Account, update: Json) -> Account:
    after = replace(before, usdc=QuoteQuantums(before.usdc + _cash(update)))
    for perpetual, size in _sizes(update).items():
        after = exchange.with_trade(after, perpetual, size, 0)
    for one in rows(update["perpetual_updates"]):
        if one["quote_balance_delta"] != 0:
            raise NotOurs(NO_BALANCE)
    return after


def _moves(exchange: Exchange, given: Json, expected: Json) -> None:
    """Withdrawals, transfers and deposits, each as the message that makes them.

    A deposit message is a Transfer to the gate; where the case says Deposit it is spared.
    """
    negative: dict[int | None, int] = {}
    for key, seen in table(given.get("negative_tnc_seen_at_block") or {}).items():
        pool = exchange.fund_of(int(key))
        negative[pool] = max(number(seen), negative.get(pool, 0))
    is_deposit = given["update_type"] == "Deposit"
    gate = GateState(
        rule=Gate.SPARES_DEPOSITS if is_deposit else Gate.DEPOSITS_TOO, negative=negative
    )
    wallets = Wallets()
    wallets.credit(WALLET, 2**80)
    verdicts = []
    wanted = names(expected["per_update"])
    messages = _messages(given, is_blocked=Verdict.BLOCKED in wanted)
    for message in messages:
        told = carry_out(exchange, wallets, message, gate, tx="")
        verdicts.append(next((v for v in Verdict if v in told.log), Verdict.SUCCESS))
    if len(messages) < len(wanted):  # one message, refused for either side's sake
        failed = [one for one in wanted if one != Verdict.SUCCESS]
        wanted = failed[:1] or [Verdict.SUCCESS]
    assert verdicts == wanted
    assert all(one is Verdict.SUCCESS for one in verdicts) is flag(expected["success"])


def _messages(given: Json, *, is_blocked: bool) -> list[TransferMessage]:
    """What makes the updates; two that are blocked at once are asked as what touches both pools."""
    updates = rows(given["updates"])
    keys = [subaccount_id(text(one["subaccount_id"])) for one in updates]
    if len(updates) == 2 and (is_blocked or given["update_type"] == "Transfer"):
        return [Transfer(sender=keys[0], recipient=keys[1], amount=abs(_cash(updates[0])))]
    return [
        Deposit(sender=WALLET, recipient=key, quantums=cash)
        if (cash := _cash(one)) > 0
        else Withdraw(sender=key, recipient=WALLET, quantums=-cash)
        for key, one in zip(keys, updates, strict=True)
    ]


def _changes(exchange: Exchange, given: Json, expected: Json) -> None:
    """Matches and plain checks; a match counts its open interest before it is judged."""
    updates, befores = rows(given["updates"]), _befores(exchange, given)
    afters = [_after(exchange, old, one) for old, one in zip(befores, updates, strict=True)]
    terms = None
    if given["update_type"] == "Match":
        (perpetual,) = {key for update in updates for key in _sizes(update)}
        sides = zip(befores, afters, strict=True)
        sizes = [(old.quantums(perpetual), new.quantums(perpetual)) for old, new in sides]
        terms = terms_after(exchange.markets[ticker(perpetual)], sizes)
    verdicts = [
        verdict(exchange, old, new, _sizes(one), terms)
        for old, new, one in zip(befores, afters, updates, strict=True)
    ]
    is_accepted = all(one is Verdict.SUCCESS for one in verdicts)
    assert verdicts == names(expected["per_update"])
    assert is_accepted is flag(expected["success"])
    if not is_accepted:
        return
    for after in afters:
        exchange.store(after)
    if terms is not None:
        exchange.set_open_interest(exchange.market_of_perpetual(terms.perpetual_id), terms)
    if "funding_payments" in expected:
        _pays_funding(given, exchange, table(expected["funding_payments"]))


def _pays_funding(given: Json, exchange: Exchange, wanted: Json) -> None:
    """What each position paid (> 0), told rounded up, as the chain tells it."""
    asked = {text(one["subaccount_id"]) for one in rows(given["updates"])}
    paid: Json = {}
    for account in rows(given["subaccounts"]):
        if account["id"] in asked:
            owed = {
                str(one.perpetual_id): -ruler.funding_owed([one], exchange.terms)
                for one in held_of(account)
            }
            paid[text(account["id"])] = {key: amount for key, amount in owed.items() if amount}
    assert {key: one for key, one in paid.items() if one} == wanted


def _left_alone_or_changed(exchange: Exchange, expected: Json) -> None:
    """Accounts and open interest as the case leaves them; some leave the balance out."""
    stored: Json = dict(table(expected.get("subaccounts_after", {})))
    if "subaccount_after" in expected:
        one = table(expected["subaccount_after"])
        stored[text(one["id"])] = one
    for key, account in stored.items():
        usdc: Json = {"asset_id": 0, "quantums": int(exchange.account(subaccount_id(key)).usdc)}
        left: Json = {"id": key, "asset_positions": [usdc], "perpetual_positions": []}
        assert is_account(exchange, {**left, **table(account)}), key
    for perpetual, interest in table(expected.get("open_interest_after", {})).items():
        assert exchange.terms[int(perpetual)].open_interest == interest, perpetual


ADAPTERS: tuple[Adapter, ...] = (liquidation_daemon, can_update_subaccounts)
