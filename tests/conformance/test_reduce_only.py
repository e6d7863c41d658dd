"""The chain's reduce-only cases, as far as the live chain takes their orders, on the venue.

A case runs through CheckTx and blocks of an exchange whose house has no depth. Cases of the order
book alone count where their orders, or those of their immediate-or-cancel variant, are live; all
of them count for the book itself, which also knows reduce-only orders that rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

import pytest

from seawall.simulator import conditional, execution, matching
from seawall.simulator.exchange import Exchange
from seawall.simulator.mempool import Mempool
from seawall.simulator.messages import STOP_LOSS, TAKE_PROFIT, OrderId, PlaceOrder
from seawall.simulator.orders import refuse_form, refuse_in_memory
from seawall.simulator.wallets import Gate, GateState, Wallets
from seawall.units import Millis
from tests.conformance.arena import SIDES, exchange_of, subaccount_id
from tests.conformance.vectors import (
    ABSENT,
    FOLDER,
    Json,
    flag,
    number,
    read,
    rows,
    table,
    text,
)

TIMES_IN_FORCE = {"UNSPECIFIED": 0, "IOC": 1, "POST_ONLY": 2, "FILL_OR_KILL": 3}
CONDITIONS = {None: 0, "STOP_LOSS": STOP_LOSS, "TAKE_PROFIT": TAKE_PROFIT}
PAIRS = ((0, -8, -5, 5_000_000_000, 10, 10_000, -8), (1, -9, -6, 3_000_000_000, 1_000, 100_000, -9))
FORCED = "forced_collateral_check_failures"
RICH = 10**15  # quote quantums: cases of the book alone are about anything but margin

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)


def cases(layer: str) -> list[Json]:
    if not FOLDER.is_dir():
        return []
    return [c for c in rows(table(read("reduce_only/reduce_only"))["cases"]) if c["layer"] == layer]


def is_live(case: Json) -> bool:
    variant = case.get("ioc_variant")
    return flag(case["reachable_on_live_chain"]) or (
        variant is not None and flag(table(variant)["reachable_on_live_chain"])
    )


def live(layer: str) -> list[Json]:
    return [case for case in cases(layer) if is_live(case)]


def name_of(case: Json) -> str:
    return str(case["id"])


def order_of(given: Json, *, at_once: bool = False) -> PlaceOrder:
    condition = given.get("condition_type")
    return PlaceOrder(
        order_id=OrderId(
            subaccount=subaccount_id(str(given.get("subaccount", "alice/0"))),
            client_id=number(given.get("client_id", 0)),
            order_flags=number(given["order_flags"]),
            clob_pair_id=number(given.get("clob_pair_id", 0)),
        ),
        side=SIDES[text(given["side"])],
        quantums=number(given["quantums"]),
        subticks=number(given["subticks"]),
        good_til_block=number(given.get("good_til_block", 0)),
        good_til_block_time=number(given.get("good_til_block_time", 0)),
        time_in_force=1 if at_once else TIMES_IN_FORCE[text(given["time_in_force"])],
        reduce_only=flag(given["reduce_only"]),
        condition_type=CONDITIONS[None if condition is None else text(condition)],
        trigger_subticks=number(given.get("conditional_order_trigger_subticks", 0)),
    )


class Venue:
    """An exchange with the accounts of a case, its CheckTx and its blocks."""

    def __init__(self, accounts: Mapping[str, tuple[int, Mapping[int, int]]], unit: int) -> None:
        tier: Json = {
            "initial_margin_ppm": 50_000,
            "maintenance_fraction_ppm": 500_000,
            "open_interest_lower_cap": 0,
            "open_interest_upper_cap": 0,
        }
        perpetuals: list[Json] = []
        pairs: list[Json] = []
        for key, resolution, exponent, price, step, tick, conversion in PAIRS:
            perpetuals.append(
                {
                    "id": key,
                    "atomic_resolution": resolution,
                    "price": price,
                    "price_exponent": exponent,
                    "funding_index": 0,
                    "open_interest": 10**12,
                    "liquidity_tier": tier,
                }
            )
            pairs.append(
                {
                    "perpetual_id": key,
                    "step_base_quantums": unit or step,
                    "subticks_per_tick": unit or tick,
                    "quantum_conversion_exponent": conversion,
                }
            )
        held: list[Json] = [
            {
                "id": name,
                "asset_positions": [{"asset_id": 0, "quantums": usdc}],
                "perpetual_positions": [
                    {"perpetual_id": p, "quantums": q, "funding_index": 0, "quote_balance": 0}
                    for p, q in sorted(sizes.items())
                    if q
                ],
            }
            for name, (usdc, sizes) in accounts.items()
        ]
        given: Json = {"perpetuals": list(perpetuals), "clob_pairs": list(pairs)}
        self.exchange: Exchange = exchange_of(given, held, maker_ppm=-110, taker_ppm=500)
        self.exchange.time = Millis(1_000)
        self.wallets = Wallets()
        self.mempool = Mempool(self.exchange, self.wallets, 40)
        self.prices = {t: m.price for t, m in self.exchange.markets.items()}

    def block(self, orders: Iterable[PlaceOrder]) -> list[int]:
        """CheckTx of some orders and the block that follows; the codes."""
        codes = [self.mempool.check(order, str(order.order_id)).code for order in orders]
        exchange = self.exchange
        exchange.height += 1
        conditional.place_due(exchange)
        self.mempool.run_clob()
        self.mempool.run_sequenced(exchange.time, GateState(rule=Gate.OFF))
        execution.update_oracle(exchange, self.prices)
        conditional.trigger(exchange)
        self.mempool.clear()
        return codes

    def filled(self, order_id: OrderId) -> int:
        return sum(f.quantums for f in self.exchange.log.fills if f.order_id == order_id)

    def position(self, name: str, perpetual_id: int) -> int:
        return self.exchange.account(subaccount_id(name)).quantums(perpetual_id)


@pytest.mark.parametrize("case", cases("validate_basic"), ids=name_of)
def test_the_message_check_gives_the_chains_code(case: Json) -> None:
    refused = refuse_form(order_of(table(case["incoming_order"])))

    code = 0 if refused is None else refused.code
    assert code == table(case["expected"])["check_tx_code"]


@pytest.mark.parametrize("case", live("memclob"), ids=name_of)
def test_the_book_treats_an_immediate_order_as_the_chain_does(case: Json) -> None:
    variant = table(case.get("ioc_variant") or case["expected"])
    incoming = order_of(table(case["incoming_order"]), at_once="ioc_variant" in case)
    held: dict[str, tuple[int, dict[int, int]]] = {}
    for one in rows(case["position"]):
        sizes = held.setdefault(text(one["subaccount"]), (RICH, {}))[1]
        sizes[number(one["clob_pair_id"])] = number(one["base_quantums"])
    venue = Venue(held, unit=1)
    resting = [order_of(one) for one in rows(case["open_orders"])]

    codes = venue.block([*resting, incoming])

    assert codes == [0] * len(resting) + [variant["check_tx_code"]]
    assert venue.filled(incoming.order_id) == variant["incoming_filled_quantums"]
    for one in rows(variant["position_after"]):
        found = venue.position(text(one["subaccount"]), number(one["clob_pair_id"]))
        assert found == one["base_quantums"], one
    assert venue.exchange.resting(incoming.order_id) is None


def failing_makers(case: Json) -> Callable[[Exchange, matching.Match], matching.Outcome]:
    """Matching with the margin verdicts that the case forces: the chain's test mocks them too."""
    forced = {number(one["nth_collateral_check"]) for one in rows(case[FORCED])}
    count, judge = itertools.count(), matching.match

    def match(exchange: Exchange, proposed: matching.Match) -> matching.Outcome:
        if next(count) in forced:
            return matching.Outcome.MAKER_FAILS
        return judge(exchange, proposed)

    return match


def placed_on(exchange: Exchange, given: Json) -> tuple[PlaceOrder, int]:
    """An order put on the book past the message check, as the chain's own test does; the code."""
    order = order_of(given)
    refused = refuse_in_memory(exchange, order)
    if refused is None:
        matching.place(exchange, order)
    return order, 0 if refused is None else refused.code


@pytest.mark.parametrize("case", cases("memclob"), ids=name_of)
def test_the_book_treats_resting_reduce_only_orders_as_the_chain_does(
    case: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: dict[str, tuple[int, dict[int, int]]] = {}
    for one in rows(case["position"]):
        sizes = held.setdefault(text(one["subaccount"]), (RICH, {}))[1]
        sizes[number(one["clob_pair_id"])] = number(one["base_quantums"])
    exchange = Venue(held, unit=1).exchange
    monkeypatch.setattr(matching, "match", failing_makers(case))
    wanted = table(case["expected"])
    orders: dict[str, PlaceOrder] = {}
    for one in rows(case["open_orders"]):
        orders[text(one["order_key"])], code = placed_on(exchange, one)
        assert code == 0
    exchange.log.fills.clear()

    given = table(case["incoming_order"])
    incoming, code = placed_on(exchange, given)
    orders[text(given["order_key"])] = incoming

    assert code == wanted["check_tx_code"]
    taken = [fill.quantums for fill in exchange.log.fills if fill.order_id == incoming.order_id]
    assert sum(taken) == wanted["incoming_filled_quantums"]
    assert taken == [one["base_quantums"] for one in rows(wanted["matches_made"])]
    resting = {
        key: rested.remaining
        for key, order in orders.items()
        if (rested := exchange.resting(order.order_id)) is not None
    }
    book = [*rows(wanted["book_bids_after"]), *rows(wanted["book_asks_after"])]
    assert resting == {text(o["order_key"]): o["remaining_quantums"] for o in book}
    for one in rows(table(case["derived"])["position_after"]):
        account = exchange.account(subaccount_id(text(one["subaccount"])))
        assert account.quantums(number(one["clob_pair_id"])) == one["base_quantums"], one


@pytest.mark.parametrize("case", live("e2e"), ids=name_of)
def test_an_order_through_blocks_ends_as_on_the_chain(case: Json) -> None:
    accounts = {
        text(one["subaccount"]): (
            number(one["usdc_quantums"]),
            {
                number(p["perpetual_id"]): number(p["base_quantums"])
                for p in rows(one["perpetual_positions"])
            },
        )
        for one in rows(case["accounts"])
    }
    venue = Venue(accounts, unit=0)
    for update in rows(case.get("oracle_price_update_block_1") or []):
        venue.prices[f"P{number(update['market_id'])}-USD"] = number(update["price"])
    given = [*rows(case["open_orders"]), table(case["incoming_order"])]
    orders = {text(one["order_key"]): order_of(one) for one in given}
    wanted = table(case["expected"])
    codes: dict[str, int] = {}
    by_block = case["orders_by_block"]
    assert isinstance(by_block, list)

    for keys in by_block:
        names = [str(key) for key in keys]
        codes |= dict(zip(names, venue.block(orders[key] for key in names), strict=True))
    if "conditional_triggered_after_block" in wanted:
        venue.block([])

    assert codes[text(table(case["incoming_order"])["order_key"])] == wanted["check_tx_code"]
    for key, filled in table(wanted["fills_quantums"]).items():
        assert venue.filled(orders[key].order_id) == filled, key
    for key, is_there in table(wanted["on_book_after"]).items():
        assert (venue.exchange.resting(orders[key].order_id) is not None) is is_there, key
    for one in rows(wanted["accounts_after"]):
        account = venue.exchange.account(subaccount_id(text(one["subaccount"])))
        assert account.usdc == one["usdc_quantums"]
        sizes = {p.perpetual_id: p.quantums for p in account.held}
        assert sizes == {
            p["perpetual_id"]: p["base_quantums"] for p in rows(one["perpetual_positions"])
        }
    for key, exists in table(wanted.get("exists_in_state_after") or {}).items():
        assert (venue.exchange.stateful(orders[key].order_id) is not None) is exists, key
