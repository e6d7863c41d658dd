"""Two arithmetics, written apart, on random accounts and trades: they never differ.

The exchange works with the venue's ruler, the guard with `seawall.margin`; neither imports the
other. Ten thousand cases, from a fixed seed, around the edges where rounding and refusals sit.
"""

from __future__ import annotations

import random
from dataclasses import replace

from seawall import margin
from seawall.account import Market, Position, Subaccount, Tier
from seawall.simulator import ruler
from seawall.simulator.chain import Chain
from seawall.simulator.exchange import Exchange, open_interest_change
from seawall.simulator.markets import BTC_USD, ETH_USD, SOL_USD, MarketSpec
from seawall.simulator.ruler import Held
from seawall.simulator.state import Account, MarketState
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from tests.simulator.stage import ALICE, MIDS, START

SPECS = (BTC_USD, ETH_USD, SOL_USD)
CASES = 10_000
PPM = (20_000, 33_333, 50_000, 100_000, 999_999, 1_000_000)


def market_of(state: MarketState, open_interest: int) -> Market:
    """The same market in the guard's terms."""
    spec, tier = state.spec, state.spec.tier
    return Market(
        ticker=spec.ticker,
        perpetual_id=spec.perpetual_id,
        clob_pair_id=spec.clob_pair_id,
        atomic_resolution=spec.atomic_resolution,
        step_base_quantums=spec.step_base_quantums,
        subticks_per_tick=spec.subticks_per_tick,
        quantum_conversion_exponent=spec.quantum_conversion_exponent,
        oracle_price=state.price,
        oracle_exponent=spec.oracle_exponent,
        tier=Tier(
            initial_margin_ppm=tier.initial_margin_ppm,
            maintenance_fraction_ppm=tier.maintenance_fraction_ppm,
            open_interest_lower_cap=tier.open_interest_lower_cap,
            open_interest_upper_cap=tier.open_interest_upper_cap,
        ),
        funding_index=state.funding_index,
        open_interest=BaseQuantums(open_interest),
        market_type=spec.market_type,
    )


def guards(account: Account, tickers: dict[int, str]) -> Subaccount:
    """The same account in the guard's terms."""
    return Subaccount(
        number=account.id.number,
        usdc=account.usdc,
        positions=tuple(
            Position(
                ticker=tickers[one.perpetual_id],
                quantums=BaseQuantums(one.quantums),
                funding_index=one.funding_index,
                quote_balance=QuoteQuantums(0),
            )
            for one in account.held
        ),
        custom_imf_ppm={tickers[key]: Ppm(ppm) for key, ppm in account.custom_imf_ppm.items()},
    )


def draw_state(dice: random.Random, spec: MarketSpec, calm: int) -> MarketState:
    """A market somewhere around its calm price, with funding and open interest of its own."""
    price = max(1, int(calm * dice.choice((0.01, 0.5, 0.97, 1.0, 1.1, 3.0)) + dice.randrange(9)))
    interest = dice.choice((0, spec.open_interest, spec.open_interest * dice.randrange(1, 40)))
    index = dice.randrange(-(10**9), 10**9)
    terms = ruler.terms_of(spec, price, index, interest)
    return MarketState(spec=spec, price=price, terms=terms)


def draw_account(dice: random.Random, exchange: Exchange) -> Account:
    """An account near one of its edges: initial margin, maintenance, or nothing left."""
    held = tuple(
        Held(
            spec.perpetual_id,
            dice.choice((-1, 1)) * dice.randrange(1, 10**4) * spec.step_base_quantums
            + dice.randrange(3),
            exchange.terms[spec.perpetual_id].funding_index + dice.randrange(-(10**7), 10**7),
        )
        for spec in sorted(SPECS, key=lambda spec: spec.perpetual_id)
        if dice.random() < 0.7
    )
    custom = {
        spec.perpetual_id: max(dice.choice(PPM), spec.tier.initial_margin_ppm)
        for spec in SPECS
        if dice.random() < 0.2
    }
    bare = Account(id=ALICE, held=held, custom_imf_ppm=custom)
    risk = exchange.risk(bare)
    edge = dice.choice((risk.imr, risk.mmr, risk.mmr // 2, 0, risk.imr * 2))
    return replace(bare, usdc=QuoteQuantums(edge - risk.nc + dice.randrange(-2, 3)))


def test_exchange_and_guard_never_differ_on_ten_thousand_trades() -> None:
    dice = random.Random(6)
    exchange = Chain(start=START, mids=MIDS)._exchange
    tickers = {spec.perpetual_id: spec.ticker for spec in SPECS}
    calm = {spec.ticker: exchange.markets[spec.ticker].price for spec in SPECS}
    verdicts = set[str]()

    for case in range(CASES):
        if case % 10 == 0:
            for spec in SPECS:
                exchange.set_market(draw_state(dice, spec, calm[spec.ticker]))
        account = draw_account(dice, exchange)
        spec = dice.choice(SPECS)
        state = exchange.markets[spec.ticker]
        exchange.store(account)
        settled = exchange.settled(ALICE)
        position = settled.quantums(spec.perpetual_id)
        free = dice.randrange(-(10**10), 10**10)
        size = dice.choice((-position, -position // 3, -2 * position, free)) or 1
        cash = -ruler.notional(state.terms, size) - dice.choice(
            (-1, 0, 1, dice.randrange(-1_000, 10**7))
        )
        after = exchange.with_trade(settled, spec.perpetual_id, size, cash)
        change = open_interest_change(position, position + size)
        interest = max(0, state.open_interest + change)
        terms = replace(state.terms, open_interest=interest)

        markets = {t: market_of(m, m.open_interest) for t, m in exchange.markets.items()}
        ours = margin.settle(guards(account, tickers), markets)
        new = margin.with_update(ours, markets[spec.ticker], size, 0, 0)
        new = replace(new, usdc=QuoteQuantums(ours.usdc + cash))
        at_match = {**markets, spec.ticker: market_of(state, interest)}
        before, then = margin.risk(ours, markets), margin.risk(new, at_match)

        assert guards(settled, tickers).usdc == ours.usdc, case
        assert tuple(exchange.risk(account)) == (before.nc, before.imr, before.mmr), case
        found = exchange.risk_on(after, terms)
        assert tuple(found) == (then.nc, then.imr, then.mmr), case
        verdict = ruler.judge(exchange.risk(settled), found)
        assert verdict.value == margin.judge_update(before, then).value, case
        assert exchange.risk(settled).is_liquidatable is before.is_liquidatable, case
        verdicts.add(verdict)

    # Isolation and the gate are not the margin rule's to say.
    others = {ruler.Verdict.VIOLATES_ISOLATION, ruler.Verdict.BLOCKED}
    assert verdicts == {*ruler.Verdict} - others
