"""What status shows of random accounts is the referee's own arithmetic, to the quantum."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import cast

from seawall.account import Market, MarketType, Missing, Observation, Position, Subaccount, Tier
from seawall.cli.look import Remembered, Rules
from seawall.cli.report import subaccount_report, view_of
from seawall.cli.status import Status, status_of
from seawall.measures.spec import NoData
from seawall.policy import Policy
from seawall.simulator import ruler
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from seawall.venue.dydx.survey import Survey
from tests.see import BTC, see

ACCOUNTS = 1_000
MARKETS = 12


def market(chance: Random, number: int) -> Market:
    """A market with everything that margin depends on drawn."""
    lower = chance.randrange(10**14)
    return replace(
        BTC,
        ticker=f"M{number}-USD",
        perpetual_id=number,
        clob_pair_id=number,
        atomic_resolution=chance.randint(-11, -5),
        oracle_exponent=chance.randint(-9, -4),
        oracle_price=chance.randint(10**5, 10**12),
        tier=Tier(
            initial_margin_ppm=Ppm(chance.randint(10_000, 1_000_000)),
            maintenance_fraction_ppm=Ppm(chance.randint(100_000, 1_000_000)),
            open_interest_lower_cap=QuoteQuantums(lower),
            open_interest_upper_cap=QuoteQuantums(
                chance.choice((0, lower, lower + chance.randrange(10**15)))
            ),
        ),
        funding_index=chance.randint(-(10**9), 10**9),
        open_interest=BaseQuantums(chance.randrange(10**16)),
        market_type=MarketType.CROSS,
    )


def account(chance: Random) -> Observation:
    """An account with none to twelve positions, healthy or not, and custom leverage."""
    markets = {one.ticker: one for one in (market(chance, n) for n in range(MARKETS))}
    held = tuple(
        Position(
            ticker=ticker,
            quantums=BaseQuantums(chance.choice((1, -1)) * chance.randint(1, 10**13)),
            funding_index=chance.randint(-(10**9), 10**9),
            quote_balance=QuoteQuantums(chance.choice((0, 0, chance.randint(-(10**9), 10**9)))),
        )
        for ticker in chance.sample(sorted(markets), chance.randint(0, MARKETS))
    )
    custom = {p.ticker: Ppm(chance.randint(0, 1_000_000)) for p in held if chance.random() < 0.3}
    subaccount = Subaccount(
        number=0,
        usdc=QuoteQuantums(chance.randint(-(10**14), 10**14)),
        positions=held,
        custom_imf_ppm=custom,
    )
    return replace(see(markets={"BTC-USD": BTC}), markets=markets, subaccounts=(subaccount,))


def refereed(seen: Observation) -> tuple[ruler.Risk, dict[str, int]]:
    """The same account by the simulated venue's arithmetic: its risk, and notionals."""
    (subaccount,) = seen.subaccounts
    terms = {
        one.perpetual_id: ruler.worth_terms(
            perpetual_id=one.perpetual_id,
            price=one.oracle_price,
            shift=one.oracle_exponent + one.atomic_resolution + 6,
            funding_index=one.funding_index,
            open_interest=one.open_interest,
            initial_ppm=one.tier.initial_margin_ppm,
            maintenance_ppm=one.tier.maintenance_fraction_ppm,
            lower_cap=one.tier.open_interest_lower_cap,
            upper_cap=one.tier.open_interest_upper_cap,
        )
        for one in seen.markets.values()
    }
    ids = {ticker: one.perpetual_id for ticker, one in seen.markets.items()}
    held = [
        ruler.Held(ids[p.ticker], p.quantums, p.funding_index, p.quote_balance)
        for p in subaccount.positions
    ]
    assert isinstance(subaccount.custom_imf_ppm, dict)
    custom = {ids[ticker]: int(ppm) for ticker, ppm in subaccount.custom_imf_ppm.items()}
    notionals = {
        p.ticker: ruler.notional(terms[ids[p.ticker]], p.quantums) for p in subaccount.positions
    }
    return ruler.risk(subaccount.usdc, held, terms, custom), notionals


def quantums(value: Decimal | NoData) -> int:
    """Quote quantums of dollars that must be there, and whole."""
    assert isinstance(value, Decimal)
    scaled = value.scaleb(6)
    assert scaled == int(scaled)
    return int(scaled)


def test_a_thousand_random_accounts_differ_from_the_venue_in_no_quantum() -> None:
    chance = Random(11)
    differences = []
    liquidatable = 0
    for number in range(ACCOUNTS):
        seen = account(chance)
        (subaccount,) = seen.subaccounts
        shown = subaccount_report(view_of(seen, Policy(), None), subaccount, {})
        risk, notionals = refereed(seen)
        ours = tuple(quantums(value) for value in (shown.equity, shown.imr, shown.mmr))
        if ours != tuple(risk):
            differences.append((number, ours, risk))
        free = quantums(shown.free_collateral)
        if free != risk.nc - risk.imr or shown.is_liquidatable != risk.is_liquidatable:
            differences.append((number, (free,), risk))
        sizes = {one.market: quantums(one.notional) for one in shown.positions}
        if sizes != notionals:
            differences.append((number, tuple(sizes.values()), risk))
        liquidatable += risk.is_liquidatable

    assert differences == []
    assert 100 < liquidatable < ACCOUNTS - 100  # both kinds were there


def test_what_json_says_is_what_was_computed() -> None:
    seen = account(Random(2))
    survey = Survey(
        observation=seen,
        markets=frozenset(seen.markets),
        node_url="node",
        indexer_height=seen.height,
        paid={},
    )

    made = status_of(survey, Rules(policy=None, place="none"), Remembered()).as_object()
    risk, _ = refereed(seen)

    shown = made["subaccounts"]
    assert isinstance(shown, list)
    assert [quantums(Decimal(shown[0][name])) for name in ("equity", "imr", "mmr")] == list(risk)


def status_shown(seen: Observation) -> Status:
    """The status of an observation without rules."""
    survey = Survey(
        observation=seen,
        markets=frozenset(seen.markets),
        node_url="node",
        indexer_height=seen.height,
        paid=Missing(reason="not served"),
    )
    return status_of(survey, Rules(policy=None, place="none"), Remembered())


def test_a_price_of_zero_shows_no_number_that_needs_it() -> None:
    seen = see(equity=9_000, positions={"BTC-USD": ("0.1", 100_000)})
    markets = {**seen.markets, "BTC-USD": replace(BTC, oracle_price=0)}

    made = status_shown(replace(seen, markets=markets)).as_object()

    (shown,) = cast("list[dict[str, object]]", made["subaccounts"])
    (position,) = cast("list[dict[str, object]]", shown.pop("positions"))
    reasons = cast("list[str]", shown.pop("reasons"))
    assert reasons[0] == "0: BTC-USD: oracle price is 0, must be above 0"
    assert {name for name, value in shown.items() if value is not None} == {"number"}
    assert position == dict.fromkeys(position) | {"market": "BTC-USD", "size": "0.1"}


def test_unread_leverage_hides_what_rests_on_it_and_nothing_else() -> None:
    seen = see(
        equity=9_000,
        positions={"BTC-USD": ("0.1", 100_000)},
        custom_imf=Missing(reason="custom leverage: down"),
    )

    lines = list(status_shown(seen).lines())

    text = "\n".join(lines)
    assert "IMR              no data" in text
    assert "free collateral  no data" in text
    assert "equity            $9,000" in text
    assert "MMR                 $120" in text
    assert "  no data: 0: custom leverage was not read, so IMR is not known" in lines
    assert "funding payments  no data: not served" in text
