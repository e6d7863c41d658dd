"""A row binds exactly where its measure, in the chain's integers, has the value it is asked for.

Random accounts are cut and topped up at random. What every measure is afterwards, at the oracle and
at the mid, is asked of its rows before: the one that binds has then to be met to the cent. Books
are worse than oracle and mid both, so no row leaves a gain unused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.account import Funding
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.claims import value_of
from seawall.plan.demand import Slot
from seawall.plan.frame import Floats, Frame, columns_of, frame_of
from seawall.plan.rows import Ask, rows_for
from seawall.plan.trial import Quote, Trial, caught_up, quote_for
from seawall.policy import MeasureRef
from seawall.scenario import Buffer, Caps, DerivedCaps
from seawall.units import HOUR, PPM_ONE, Millis, Ppm
from tests.see import BTC, ETH, SOL, Held, Number, book, scenario, see, view

MARKETS = {"BTC-USD": BTC, "ETH-USD": ETH, "SOL-USD": SOL}
STEP = {"BTC-USD": Decimal("0.0001"), "ETH-USD": Decimal("0.001"), "SOL-USD": Decimal("0.1")}
FEE = 0.0005
OF_MARGIN = ("free_collateral", "margin_usage", "maintenance_usage", "leverage")
OF_SCENARIOS = ("stress_headroom", "fatal_move")
OF_EXPOSURE = ("gross_exposure", "net_exposure", "cap_use")
SCENARIOS = (
    scenario(
        "fall", {"BTC-USD": "-0.1", "SOL-USD": "-0.2"}, slippage="0.01", over=Millis(3 * HOUR)
    ),
    scenario("both", {"BTC-USD": "-0.3", "ETH-USD": "0.4", "SOL-USD": "1.5"}, both_signs=True),
)
CAPS = Caps(
    typed={"ETH-USD": Decimal(2_000), "BTC-USD": Decimal(9_000_000)},
    derived=DerivedCaps(
        max_drawdown=Ppm(120_000),
        scenario="fall",
        shares={"BTC-USD": Ppm(400_000), "ETH-USD": Ppm(900_000)},
    ),
)


@st.composite
def positions(draw: st.DrawFn) -> Held:
    """Some markets, long or short, $1,500 to $60,000 each."""
    held: dict[str, tuple[Number, Number]] = {}
    for ticker in sorted(draw(st.sets(st.sampled_from(sorted(MARKETS)), min_size=1))):
        price = MARKETS[ticker].oracle_dollars
        worth = 1_500 * draw(st.integers(1, 40)) * draw(st.sampled_from((1, -1)))
        held[ticker] = (worth / price // STEP[ticker] * STEP[ticker], price)
    return held


@st.composite
def equity_of(draw: st.DrawFn, held: Held) -> Number:
    """8% to 60% of what is held, and $500."""
    gross = sum(abs(Decimal(str(size)) * Decimal(str(price))) for size, price in held.values())
    return 500 + draw(st.integers(8, 60)) * int(gross) // 100


@st.composite
def accounts(draw: st.DrawFn) -> View:
    """A parent and sometimes a child, within their initial margins, mids up to 1% off."""
    held, child = draw(positions()), draw(st.none() | positions())
    rate = st.integers(-9, 9).map(lambda n: Decimal(n) / 100_000)
    lean = st.sampled_from((0, -100, 100))
    books = {}
    for ticker, market in MARKETS.items():
        mid = market.oracle_dollars * (10_000 + draw(lean)) / 10_000
        books[ticker] = book(market, mid, half_spread="0.02")
    on = see(
        equity=draw(equity_of(held)),
        positions=held,
        children={} if child is None else {128: (draw(equity_of(child)), child)},
        books=books,
        funding={
            ticker: Funding(rate=draw(rate), p90_long=draw(rate), p90_short=draw(rate))
            for ticker in MARKETS
        },
        custom_imf={"BTC-USD": "0.05"},
    )
    buffer = Buffer(parent=Decimal(draw(st.integers(0, 300))), child=Decimal(50))
    return view(on, buffer=buffer, caps=CAPS, scenarios=SCENARIOS)


def asks(on: View) -> Iterator[tuple[MeasureRef, Instance]]:
    """Every measure that has rows, for the kinds of instance that a rule may watch."""
    numbers = tuple(s.number for s in on.observation.subaccounts)
    for number, name in product(numbers, OF_MARGIN):
        yield MeasureRef(name=name), Instance(subaccount=number)
    for number, name, feared in product(numbers, OF_SCENARIOS, SCENARIOS):
        yield MeasureRef(name=name, scenario=feared.name), Instance(subaccount=number)
    for number, ticker in product(numbers, MARKETS):
        yield MeasureRef(name="liq_move"), Instance(subaccount=number, market=ticker)
    places = (
        Instance(subaccounts=numbers, markets=tuple(MARKETS)),
        Instance(subaccounts=numbers[-1:], markets=("SOL-USD", "BTC-USD")),
        Instance(subaccounts=numbers, market="ETH-USD"),
        Instance(group="two", subaccounts=numbers, markets=("SOL-USD", "ETH-USD")),
    )
    for name, place in product(OF_EXPOSURE, places):
        yield MeasureRef(name=name), place
    whole = (Instance(subaccounts=numbers), Instance(subaccount=numbers[-1]), Instance())
    for name, place in product(("funding_24h", "equity"), whole):
        yield MeasureRef(name=name), place


def quotes_of(on: View) -> Mapping[Slot, Quote]:
    found = {}
    for subaccount in on.observation.subaccounts:
        for position in subaccount.positions:
            slot = (subaccount.number, position.ticker)
            quote = quote_for(on, slot, 50_000)
            assert quote is not None
            found[slot] = quote
    return found


def slack(frame: Frame, closed: Floats, cash: Mapping[int, int], one: Ask) -> float:
    """Dollars by which the row that binds is met."""
    return min(
        float(row.over(frame) @ closed)
        + row.cash * sum(amount for number, amount in cash.items() if number in row.numbers)
        - row.least
        for row in rows_for(frame, one)
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(on=accounts(), data=st.data())
def test_a_row_binds_where_its_measure_has_the_value_asked(on: View, data: st.DataObject) -> None:
    quotes = quotes_of(on)
    steps = {slot: quote.depth // quote.market.step_base_quantums for slot, quote in quotes.items()}
    cuts = {
        slot: data.draw(st.integers(0, most)) * quotes[slot].market.step_base_quantums
        for slot, most in steps.items()
    }
    cash = {s.number: data.draw(st.integers(0, 5_000)) for s in on.observation.subaccounts}
    paper = Trial(
        before=on,
        caught_up=caught_up(on),
        quotes=quotes,
        cuts=cuts,
        cash={number: amount * PPM_ONE for number, amount in cash.items()},
    )
    columns = tuple(one for slot in cuts for one in columns_of(on, quotes[slot], cuts[slot]))
    closed = np.array([one.room for one in columns])
    before = [one for one in (on, paper.caught_up) if one is not None]

    for view_before, view_after in zip(before, paper.views(), strict=True):
        frame = frame_of(on, view_before, columns, FEE)
        for measure, instance in asks(on):
            value = value_of(view_after, measure, instance)
            if isinstance(value, Decimal) and value.is_finite() and value != 0:
                one = Ask(measure=measure, instance=instance, value=float(value))
                assert slack(frame, closed, cash, one) == pytest.approx(0, abs=0.01), one
