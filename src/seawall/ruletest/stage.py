"""An account on paper over the time of a rule test: what the guard sees, and what its orders do.

Each step is a sending window of its own, so that an order of one step has its outcome in the next.
An order fills whole at its worst price, a deposit lands, a cancelled order is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall import margin, units
from seawall.account import (
    Advice,
    Fill,
    FloatWallet,
    Funding,
    IndexerSizes,
    KeyReach,
    Market,
    Observation,
    Position,
    RestingOrder,
    Side,
    Subaccount,
    Transfer,
)
from seawall.action import WINDOW_BLOCKS, Action, Backstop, Cancel, Reduce, TopUp
from seawall.measures.spec import NoData
from seawall.measures.view import Override, Overrides
from seawall.ruletest.accounts import quantums
from seawall.ruletest.markets import priced
from seawall.ruletest.script import Fills, Holding, RuleTest
from seawall.ruletest.series import next_change
from seawall.units import DAY, BaseQuantums, Millis, Ppm, QuoteQuantums, Subticks

OWNER = "dydx1ruletest"
WALLET = "dydx1float"
CHAIN = "ruletest-1"
DAY_ZERO = Millis(20_000 * DAY)
FEE = Ppm(500)
FIRST_WINDOW = 1_000
SAID_MISSING = NoData(reason="the test says that it is missing")
AGREEING = Override(measure="oracle_gap")  # there are no books here, and nothing to doubt


class Stage:
    """The account of one test as time goes on; `look` moves it forward."""

    def __init__(self, test: RuleTest) -> None:
        self._test = test
        self._markets = dict(test.markets)
        for ticker, oracle in test.account.oracles.items():
            self._markets[ticker] = priced(self._markets[ticker], oracle)
        self._move_prices(Millis(0))
        self._held_by_trader = {t: track.at(Millis(0)) for t, track in test.sizes.items()}
        self._subaccounts = tuple(
            self._opened(number, holding) for number, holding in test.account.holdings.items()
        )
        wallet = test.account.wallet
        self._wallet = None if wallet is None else units.quote_down(wallet)
        self._sequence = 1
        self._orders = test.resting
        self._fills: tuple[Fill, ...] = ()
        self._transfers: tuple[Transfer, ...] = ()
        self._coming: tuple[Action, ...] = ()
        self._height = 0
        self.moved_at = Millis(0)  # when prices, positions or money last changed

    def expect(self, actions: Sequence[Action]) -> None:
        """Actions that were sent; they are done by the next look."""
        self._coming = () if self._test.fills is Fills.NONE else tuple(actions)

    def look(self, at: Millis) -> Observation:
        """The account at a moment of the test; moments go forward."""
        before = (self._subaccounts, dict(self._markets), self._orders)
        self._height = self._height_at(at)
        self._fills = ()
        self._move_prices(at)
        self._do_what_was_sent()
        self._move_money(at)
        self._trade(at)
        if before != (self._subaccounts, self._markets, self._orders):
            self.moved_at = at
        return self._observation(at)

    def after(self, seen: Observation, actions: Sequence[Action]) -> Observation:
        """The same moment with what was sent done already."""
        subaccounts = {one.number: one for one in seen.subaccounts}
        for action in actions:
            if isinstance(action, Reduce | TopUp):
                number = action.subaccount
                subaccounts[number] = self._done(subaccounts[number], action, seen.markets)
        return replace(seen, subaccounts=tuple(subaccounts.values()))

    def overrides(self, at: Millis) -> Overrides:
        """What the test says of measures at a moment."""
        said: dict[Override, Decimal | NoData] = {AGREEING: Decimal(0)}
        for whose, track in self._test.series.items():
            value = track.at(at)
            said[whose] = SAID_MISSING if value is None else value
        return said

    def next_change(self, at: Millis) -> Millis | None:
        """The next moment at which an input changes by itself; None where all rest for good."""
        test = self._test
        tracks = [*test.series.values(), *test.prices.values(), *test.funding.values()]
        found = next_change([*tracks, *test.sizes.values()], at)
        flows = [moment for moment in test.flows if moment > at]
        return min([*flows, *([] if found is None else [found])], default=None)

    def _height_at(self, at: Millis) -> int:
        return WINDOW_BLOCKS * (FIRST_WINDOW + at // self._test.step) + WINDOW_BLOCKS - 1

    def _opened(self, number: int, holding: Holding) -> Subaccount:
        coins = dict(holding.positions)
        if number == 0:
            coins.update({t: v for t, v in self._held_by_trader.items() if v is not None})
        positions = []
        worth = 0
        for ticker, size in coins.items():
            market = self._markets[ticker]
            held = BaseQuantums(quantums(market, size))
            if held:
                positions.append(Position(ticker=ticker, quantums=held))
                worth += margin.notional(market, held)
        usdc = QuoteQuantums(units.quote_down(holding.equity) - worth)
        return Subaccount(number=number, usdc=usdc, positions=tuple(positions))

    def _move_prices(self, at: Millis) -> None:
        for ticker, track in self._test.prices.items():
            price = track.at(at)
            assert price is not None
            self._markets[ticker] = priced(self._markets[ticker], price)

    def _do_what_was_sent(self) -> None:
        for action in self._coming:
            match action:
                case Backstop():
                    pass  # rules are tested without them
                case Cancel():
                    self._orders = tuple(o for o in self._orders if not _is(o, action))
                case Reduce():
                    self._change(action.subaccount, action)
                case TopUp():
                    self._change(action.subaccount, action)
                    assert self._wallet is not None
                    self._wallet = QuoteQuantums(self._wallet - action.amount)
                    self._sequence += 1
                    self._note_transfer(action.subaccount, action.amount)
        self._coming = ()

    def _change(self, number: int, action: Reduce | TopUp) -> None:
        self._subaccounts = tuple(
            self._done(one, action, self._markets) if one.number == number else one
            for one in self._subaccounts
        )
        if isinstance(action, Reduce):
            market = self._markets[action.ticker]
            exponent = market.quantum_conversion_exponent
            quote = units.fill_quote(action.subticks, action.quantums, exponent)
            fill = Fill(
                subaccount=number,
                ticker=action.ticker,
                side=action.side,
                quantums=action.quantums,
                subticks=action.subticks,
                fee=units.fee_quote(quote, FEE),
                height=self._height,
                client_id=action.client_id,
            )
            self._fills = (*self._fills, fill)

    def _done(
        self, subaccount: Subaccount, action: Reduce | TopUp, markets: Mapping[str, Market]
    ) -> Subaccount:
        """A subaccount after one action: filled whole at its worst price with the fee, or paid."""
        settled = margin.settle(subaccount, markets)
        if isinstance(action, TopUp):
            return replace(settled, usdc=QuoteQuantums(settled.usdc + action.amount))
        market = markets[action.ticker]
        exponent = market.quantum_conversion_exponent
        quote = units.fill_quote(action.subticks, action.quantums, exponent)
        signed = action.side.sign * action.quantums
        return margin.with_fill(settled, market, signed, quote, units.fee_quote(quote, FEE))

    def _move_money(self, at: Millis) -> None:
        flow = self._test.flows.get(at)
        if flow is None:
            return
        amount = units.quote_down(flow)
        self._subaccounts = tuple(
            replace(one, usdc=QuoteQuantums(one.usdc + amount)) if one.number == 0 else one
            for one in self._subaccounts
        )
        self._note_transfer(0, amount)

    def _trade(self, at: Millis) -> None:
        """The trader's own trades in the parent: at the oracle, without a fee."""
        for ticker, track in self._test.sizes.items():
            wanted, held = track.at(at), self._held_by_trader[ticker]
            assert wanted is not None
            assert held is not None
            market = self._markets[ticker]
            delta = quantums(market, wanted) - quantums(market, held)
            if delta == 0:
                continue
            self._held_by_trader[ticker] = wanted
            paid = abs(margin.notional(market, BaseQuantums(delta)))
            self._subaccounts = tuple(
                margin.with_fill(margin.settle(one, self._markets), market, delta, paid, 0)
                if one.number == 0
                else one
                for one in self._subaccounts
            )
            fill = Fill(
                subaccount=0,
                ticker=ticker,
                side=Side.BUY if delta > 0 else Side.SELL,
                quantums=BaseQuantums(abs(delta)),
                subticks=_oracle_subticks(market),
                fee=QuoteQuantums(0),
                height=self._height,
            )
            self._fills = (*self._fills, fill)

    def _note_transfer(self, number: int, amount: QuoteQuantums) -> None:
        moved = Transfer(subaccount=number, amount=amount, height=self._height)
        self._transfers = (*self._transfers, moved)

    def _observation(self, at: Millis) -> Observation:
        now = Millis(DAY_ZERO + self._test.start + at)
        sizes = {(s.number, p.ticker): p.quantums for s in self._subaccounts for p in s.positions}
        wallet = None
        if self._wallet is not None:
            wallet = FloatWallet(
                address=WALLET,
                balance=self._wallet,
                sequence=self._sequence,
                account_number=1,
            )
        return Observation(
            chain_id=CHAIN,
            owner=OWNER,
            height=self._height,
            at=now,
            seen_at=now,
            markets=dict(self._markets),
            subaccounts=self._subaccounts,
            taker_fee_ppm=FEE,
            float_wallet=wallet,
            advice=Advice(
                orders=self._orders,
                fills=self._fills,
                transfers=self._transfers,
                funding=self._funding(at),
                indexer_sizes=IndexerSizes(height=self._height, quantums=sizes),
                key_reach=KeyReach(),
            ),
        )

    def _funding(self, at: Millis) -> dict[str, Funding]:
        rates = {}
        for ticker in self._markets:
            track = self._test.funding.get(ticker)
            rate = Decimal(0) if track is None else track.at(at)
            assert rate is not None
            rates[ticker] = Funding(rate=rate, p90_long=Decimal(0), p90_short=Decimal(0))
        return rates


def _is(order: RestingOrder, cancel: Cancel) -> bool:
    one = (order.subaccount, order.ticker, order.client_id, order.order_flags)
    return one == (cancel.subaccount, cancel.ticker, cancel.client_id, cancel.order_flags)


def _oracle_subticks(market: Market) -> Subticks:
    shift = market.atomic_resolution - market.quantum_conversion_exponent + 6
    return Subticks(int(market.oracle_dollars.scaleb(shift)))
