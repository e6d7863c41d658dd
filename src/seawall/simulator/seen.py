"""What one owner sees of the chain, in the guard's own types.

Whatever did not change since the last look is the same object again, since a simulation looks at
every block.
"""

from __future__ import annotations

from collections.abc import Mapping

from seawall import action
from seawall.account import (
    PARENTS,
    Fill,
    FloatWallet,
    Funding,
    Market,
    Position,
    RestingOrder,
    Subaccount,
    Tier,
    Transfer,
)
from seawall.simulator.chain import Chain
from seawall.simulator.events import FillEvent, TransferEvent
from seawall.simulator.messages import SubaccountId
from seawall.simulator.state import Account, MarketState, OpenOrder, State
from seawall.units import BaseQuantums, Ppm, QuoteQuantums, Subticks

OWN_METADATA = 0x5EA  # client metadata that marks the guard's own orders


class View:
    """Parts of the last observation, remade only where the chain replaced what they came from."""

    def __init__(self, *, owner: str, parent: int) -> None:
        self._owner = owner
        self._parent = parent
        self._market_states: tuple[MarketState, ...] = ()
        self._accounts: tuple[Account, ...] = ()
        self._wallet: tuple[object, FloatWallet | None] = (None, None)
        self._fills_read = self._transfers_read = self._orders_read = 0
        self._rates: tuple[int, ...] | None = None
        self.markets: Mapping[str, Market] = {}
        self.subaccounts: tuple[Subaccount, ...] = ()
        self.sizes: Mapping[tuple[int, str], BaseQuantums] = {}
        self.funding: Mapping[str, Funding] = {}
        self.orders: tuple[RestingOrder, ...] = ()
        self.fills: tuple[Fill, ...] = ()
        self.transfers: tuple[Transfer, ...] = ()
        self.tried: Mapping[tuple[int, str], int] = {}

    def follow(self, chain: Chain, state: State) -> None:
        """Catch up with the newest committed state."""
        self._follow_markets(state)
        self._follow_accounts(state)
        if state.orders or self.orders:
            self.orders = tuple(
                order_seen(order, state)
                for order in state.open_orders(self._owner)
                if self._is_guarded(order.order.order_id.subaccount)
            )
        self._follow_history(chain)
        self._follow_tries(chain, state)

    def float_wallet(self, state: State, address: str) -> FloatWallet | None:
        """The float wallet; None where the chain has never seen its address."""
        known = state.wallets.get(address)
        if known is not self._wallet[0]:
            wallet = None
            if known is not None:
                wallet = FloatWallet(
                    address=address,
                    balance=known.balance,
                    sequence=known.sequence,
                    account_number=known.account_number,
                )
            self._wallet = (known, wallet)
        return self._wallet[1]

    def _is_guarded(self, subaccount: SubaccountId) -> bool:
        return subaccount.owner == self._owner and subaccount.number % PARENTS == self._parent

    def _follow_markets(self, state: State) -> None:
        now = tuple(state.markets.values())
        before = self._market_states
        if len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True)):
            return
        known = set(map(id, before))
        self._market_states = now
        self.markets = {
            market.spec.ticker: self.markets[market.spec.ticker]
            if id(market) in known
            else market_seen(market)
            for market in now
        }
        rates = tuple(market.rate_8h_ppm for market in now)
        if rates != self._rates:
            self._rates = rates
            self.funding = {market.spec.ticker: funding_seen(market) for market in now}

    def _follow_accounts(self, state: State) -> None:
        now = tuple(a for a in state.subaccounts_of(self._owner) if self._is_guarded(a.id))
        if not now:
            now = (state.subaccount(self._owner, self._parent),)
        before = self._accounts
        if len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True)):
            return
        self._accounts = now
        tickers = {market.spec.perpetual_id: ticker for ticker, market in state.markets.items()}
        self.subaccounts = tuple(subaccount_seen(account, tickers) for account in now)
        self.sizes = {
            (one.number, position.ticker): position.quantums
            for one in self.subaccounts
            for position in one.positions
        }

    def _follow_history(self, chain: Chain) -> None:
        fills, transfers = chain.history.fills, chain.history.transfers
        if len(fills) > self._fills_read:
            new = fills[self._fills_read :]
            self._fills_read = len(fills)
            own = tuple(fill_seen(f, h) for h, f in new if self._is_guarded(f.subaccount))
            self.fills += own
        if len(transfers) > self._transfers_read:
            moved = transfers[self._transfers_read :]
            self._transfers_read = len(transfers)
            for height, event in moved:
                self.transfers += self._transfers_seen(event, height)

    def _follow_tries(self, chain: Chain, state: State) -> None:
        orders = chain.history.orders
        new, self._orders_read = orders[self._orders_read :], len(orders)
        tickers = {one.spec.clob_pair_id: ticker for ticker, one in state.markets.items()}
        for _, told in new:
            named = told.order.order_id
            if not (named.is_short_term and self._is_guarded(named.subaccount)):
                continue
            number, pair = named.subaccount.number, named.clob_pair_id
            window = action.window_named(
                chain.chain_id,
                self._owner,
                number,
                pair,
                client=named.client_id,
                until=told.order.good_til_block,
            )
            if window is not None:
                self.tried = {**self.tried, (number, tickers[pair]): window}

    def _transfers_seen(self, event: TransferEvent, height: int) -> tuple[Transfer, ...]:
        """What a transfer means to the guarded subaccounts: money in, money out, or both."""
        seen = []
        for own, other, sign in (
            (event.recipient, event.sender, 1),
            (event.sender, event.recipient, -1),
        ):
            if isinstance(own, str) or not self._is_guarded(own):
                continue
            is_sibling = not isinstance(other, str) and self._is_guarded(other)
            seen.append(
                Transfer(
                    subaccount=own.number,
                    amount=QuoteQuantums(sign * event.amount),
                    height=height,
                    counterpart=other.number if is_sibling and not isinstance(other, str) else None,
                )
            )
        return tuple(seen)


def market_seen(market: MarketState) -> Market:
    """A market as the guard sees it."""
    spec = market.spec
    return Market(
        ticker=spec.ticker,
        perpetual_id=spec.perpetual_id,
        clob_pair_id=spec.clob_pair_id,
        atomic_resolution=spec.atomic_resolution,
        step_base_quantums=spec.step_base_quantums,
        subticks_per_tick=spec.subticks_per_tick,
        quantum_conversion_exponent=spec.quantum_conversion_exponent,
        oracle_price=market.price,
        oracle_exponent=spec.oracle_exponent,
        tier=Tier(
            initial_margin_ppm=spec.tier.initial_margin_ppm,
            maintenance_fraction_ppm=spec.tier.maintenance_fraction_ppm,
            open_interest_lower_cap=spec.tier.open_interest_lower_cap,
            open_interest_upper_cap=spec.tier.open_interest_upper_cap,
        ),
        funding_index=market.funding_index,
        open_interest=market.open_interest,
        market_type=spec.market_type,
        status=spec.status,
    )


def funding_seen(market: MarketState) -> Funding:
    """A market's funding; the rate of the moment stands for its own p90."""
    rate = market.hourly_rate
    return Funding(rate=rate, p90_long=max(rate, rate * 0), p90_short=max(-rate, rate * 0))


def subaccount_seen(account: Account, tickers: Mapping[int, str]) -> Subaccount:
    """A subaccount as the guard sees it, funding unsettled."""
    return Subaccount(
        number=account.id.number,
        usdc=account.usdc,
        positions=tuple(
            Position(
                ticker=tickers[one.perpetual_id],
                quantums=BaseQuantums(one.quantums),
                funding_index=one.funding_index,
                quote_balance=QuoteQuantums(one.quote_balance),
            )
            for one in account.held
        ),
        custom_imf_ppm={
            tickers[perpetual]: Ppm(ppm) for perpetual, ppm in account.custom_imf_ppm.items()
        },
    )


def order_seen(rested: OpenOrder, state: State) -> RestingOrder:
    """A resting order as the guard sees it."""
    order = rested.order
    assert order.side is not None
    ticker = next(
        ticker
        for ticker, market in state.markets.items()
        if market.spec.clob_pair_id == order.order_id.clob_pair_id
    )
    return RestingOrder(
        subaccount=order.order_id.subaccount.number,
        ticker=ticker,
        side=order.side,
        quantums=rested.remaining,
        subticks=Subticks(order.subticks),
        client_id=order.order_id.client_id,
        order_flags=order.order_id.order_flags,
        reduce_only=order.reduce_only,
        good_til_block=order.good_til_block or None,
        good_til_block_time=order.good_til_block_time or None,
        trigger_subticks=Subticks(order.trigger_subticks) if order.trigger_subticks else None,
        is_triggered=rested.is_triggered and order.trigger_subticks > 0,
        ours=order.client_metadata == OWN_METADATA,
    )


def fill_seen(fill: FillEvent, height: int) -> Fill:
    """A fill as the guard sees it."""
    return Fill(
        subaccount=fill.subaccount.number,
        ticker=fill.ticker,
        side=fill.side,
        quantums=fill.quantums,
        subticks=fill.subticks,
        fee=fill.fee,
        height=height,
        kind=fill.kind.value,
        client_id=None if fill.order_id is None else fill.order_id.client_id,
    )
