"""Whether sources can be believed: at the bound, and with each of them missing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Book, IndexerSizes, KeyReach, Missing
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.trust import input_age, oracle_gap, outside_reach, source_gap
from seawall.units import BaseQuantums, Millis
from tests.see import AT, BTC, HEIGHT, MARKETS, Held, book, priced, quantums, see, view

BOOK: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": (-1, 4_000)}
ACCOUNT = Instance(markets=tuple(MARKETS), subaccounts=(0,))
IN_BTC = Instance(market="BTC-USD", markets=("BTC-USD",), subaccounts=(0,))
IN_ETH = Instance(market="ETH-USD", markets=("ETH-USD",), subaccounts=(0,))
IN_SOL = Instance(market="SOL-USD", markets=("SOL-USD",), subaccounts=(0,))


@pytest.mark.parametrize(("late", "age"), [(0, "0"), (10_001, "10.001"), (-5, "0")])
def test_the_age_of_the_state_is_seconds_and_never_negative(late: int, age: str) -> None:
    looked = view(see(seen_at=Millis(AT + late)))

    assert input_age(looked, ACCOUNT, None) == Decimal(age)


def gap_of_sizes(shown: dict[str, str], instance: Instance, *, height: int = HEIGHT) -> Value:
    sizes = {(0, ticker): quantums(MARKETS[ticker], size) for ticker, size in shown.items()}
    seen = see(positions=BOOK, indexer_sizes=IndexerSizes(height=height, quantums=sizes))
    return source_gap(view(seen), instance, None)


@pytest.mark.parametrize(
    ("shown", "instance", "gap"),
    [
        ({"BTC-USD": "0.1", "ETH-USD": "-1"}, ACCOUNT, "0"),
        ({"BTC-USD": "0.08", "ETH-USD": "-1"}, ACCOUNT, "0.2"),
        ({"BTC-USD": "0.125", "ETH-USD": "-1"}, ACCOUNT, "0.2"),
        ({"BTC-USD": "0.1"}, ACCOUNT, "1"),
        ({"BTC-USD": "0.1"}, IN_BTC, "0"),
        ({"BTC-USD": "0.1"}, IN_ETH, "1"),
        ({"BTC-USD": "0.1", "ETH-USD": "1"}, IN_ETH, "2"),
        ({"BTC-USD": "0.1", "ETH-USD": "-1", "SOL-USD": "1"}, IN_SOL, "1"),
    ],
)
def test_sources_are_compared_by_the_larger_size(
    shown: dict[str, str], instance: Instance, gap: str
) -> None:
    assert gap_of_sizes(shown, instance) == Decimal(gap)


@pytest.mark.parametrize("apart", [-120, -1, 1, 120])
def test_sizes_that_agree_at_different_heights_agree(apart: int) -> None:
    agreed = {"BTC-USD": "0.1", "ETH-USD": "-1"}

    assert gap_of_sizes(agreed, ACCOUNT, height=HEIGHT + apart) == 0


@pytest.mark.parametrize("apart", [-1, 1])
def test_sizes_that_differ_at_different_heights_cannot_be_compared(apart: int) -> None:
    assert isinstance(gap_of_sizes({}, ACCOUNT, height=HEIGHT + apart), NoData)


def test_an_indexer_that_stood_still_agrees_with_nothing() -> None:
    agreed = {"BTC-USD": "0.1", "ETH-USD": "-1"}

    value = gap_of_sizes(agreed, ACCOUNT, height=HEIGHT - 121)

    assert value == NoData(reason="indexer at height 879, node at 1000")


def test_positions_of_subaccounts_out_of_scope_are_not_compared() -> None:
    sizes = {(0, "BTC-USD"): quantums(BTC, "0.1"), (128, "BTC-USD"): BaseQuantums(5)}
    seen = see(
        positions={"BTC-USD": ("0.1", 100_000)},
        indexer_sizes=IndexerSizes(height=HEIGHT, quantums=sizes),
    )

    assert source_gap(view(seen), ACCOUNT, None) == 0


def test_a_scope_of_one_subaccount_leaves_the_others_out() -> None:
    seen = see(
        positions=BOOK,
        children={128: (500, {"SOL-USD": (1, 200)})},
        key_reach=KeyReach(subaccounts=frozenset({0})),
    )

    assert outside_reach(view(seen), Instance(subaccounts=(128,)), None) == 1
    assert outside_reach(view(seen), Instance(subaccounts=(0,)), None) == 0
    assert outside_reach(view(seen), Instance(), None) == 1


def test_without_the_indexer_there_is_no_gap_to_tell() -> None:
    seen = see(positions=BOOK, indexer_sizes=Missing(reason="deadline"))

    assert source_gap(view(seen), ACCOUNT, None) == NoData(reason="indexer's positions: deadline")


def test_the_oracle_gap_is_the_distance_of_the_mid_either_way() -> None:
    books = {"BTC-USD": book(BTC, 103_000), "ETH-USD": book(MARKETS["ETH-USD"], 3_920)}
    looked = view(see(positions=BOOK, books=books))

    assert oracle_gap(looked, IN_BTC, None) == Decimal("0.03")
    assert oracle_gap(looked, IN_ETH, None) == Decimal("0.02")
    assert oracle_gap(looked, ACCOUNT, None) == Decimal("0.03")


def test_the_worst_gap_is_not_known_while_one_book_is_missing() -> None:
    looked = view(see(positions=BOOK, books={"BTC-USD": book(BTC, 103_000)}))

    value = oracle_gap(looked, ACCOUNT, None)

    assert isinstance(value, NoData)
    assert "ETH-USD" in value.reason


@pytest.mark.parametrize(
    ("shown", "late", "known"),
    [
        (book(BTC), 3_000, True),
        (book(BTC), 3_001, False),
        (replace(book(BTC), asks=()), 0, False),
        (replace(book(BTC), bids=()), 0, False),
    ],
)
def test_only_a_fresh_two_sided_book_has_a_mid(shown: Book, late: int, *, known: bool) -> None:
    looked = view(see(positions=BOOK, books={"BTC-USD": shown}, seen_at=Millis(AT + late)))

    assert isinstance(oracle_gap(looked, IN_BTC, None), Decimal) is known


def test_a_price_of_zero_has_no_gap() -> None:
    seen = see(markets={**MARKETS, "BTC-USD": priced(BTC, 0)}, books={"BTC-USD": book(BTC)})

    assert isinstance(oracle_gap(view(seen), IN_BTC, None), NoData)


@pytest.mark.parametrize(
    ("reach", "count"),
    [
        (KeyReach(), 0),
        (KeyReach(clob_pairs=frozenset({0, 1})), 0),
        (KeyReach(clob_pairs=frozenset({0})), 1),
        (KeyReach(subaccounts=frozenset({128})), 2),
        (KeyReach(subaccounts=frozenset({0}), clob_pairs=frozenset()), 2),
    ],
)
def test_positions_that_the_key_cannot_trade_are_counted(reach: KeyReach, count: int) -> None:
    looked = view(see(positions=BOOK, key_reach=reach))

    assert outside_reach(looked, ACCOUNT, None) == count
    assert outside_reach(looked, IN_SOL, None) == 0


def test_without_a_key_reach_is_no_data() -> None:
    looked = view(see(positions=BOOK, key_reach=Missing(reason="no key")))

    assert outside_reach(looked, ACCOUNT, None) == NoData(reason="reach of the trading key: no key")


def test_a_market_that_was_not_read_has_no_reach() -> None:
    seen = see(positions=BOOK)

    value = outside_reach(view(replace(seen, markets={})), ACCOUNT, None)

    assert isinstance(value, NoData)
