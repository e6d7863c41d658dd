"""The owner's other hand: trades against the guard, rests orders, takes money out."""

from __future__ import annotations

import random
from collections.abc import Sequence

from seawall.account import Side
from seawall.simulator.chain import Chain
from seawall.simulator.messages import (
    GOOD_TIL_TIME,
    IMMEDIATE_OR_CANCEL,
    LONG_TERM,
    SHORT_TERM,
    OrderId,
    PlaceOrder,
    SubaccountId,
    Withdraw,
)
from seawall.simulator.state import MarketState

FIRST_ID = 0x7EAD0000
FAR_PERCENT = (1, 3)  # how far resting orders stand from the oracle
BAND_PERCENT = 5  # how far from it an order of his may fill
LIVES_S = 3_600


class Trader:
    """Someone who holds the owner's key and does as chance tells him."""

    def __init__(
        self, chain: Chain, accounts: Sequence[SubaccountId], seed: int, trades: float
    ) -> None:
        self._chain = chain
        self._accounts = accounts
        self._account = accounts[0]
        self._chance = random.Random(f"trader|{seed}")
        self._trades = trades
        self._orders = 0

    def act(self) -> None:
        """Perhaps do one thing; the chain judges it like anybody's."""
        if self._chance.random() >= self._trades:
            return
        if len(self._accounts) > 1:
            self._account = self._chance.choice(self._accounts)
        market = self._chance.choice(tuple(self._chain.committed.markets.values()))
        held = self._chain.committed.subaccount(self._account.owner, self._account.number).quantums(
            market.spec.perpetual_id
        )
        side = Side.BUY if held > 0 else Side.SELL
        other = Side.SELL if side is Side.BUY else Side.BUY
        size = abs(held) or market.spec.step_base_quantums * 10
        match self._chance.randrange(7):
            case 0 | 1:
                self._trade(market, side, size // 4)  # adds
            case 2:
                self._trade(market, other, size * 3 // 2)  # flips
            case 3:
                self._trade(market, other, size // 3)  # takes off
            case 4:
                self._rest(market, side, size // 3, is_reduce_only=False)
            case 5:
                self._rest(market, other, size // 3, is_reduce_only=self._chance.random() < 0.5)
            case _:
                self._withdraw()

    def _trade(self, market: MarketState, side: Side, quantums: int) -> None:
        self._place(
            market, side, quantums, percent=side.sign * BAND_PERCENT, flags=SHORT_TERM, ioc=True
        )

    def _rest(
        self, market: MarketState, side: Side, quantums: int, *, is_reduce_only: bool
    ) -> None:
        flags = self._chance.choice((SHORT_TERM, LONG_TERM))
        self._place(
            market,
            side,
            quantums,
            percent=-side.sign * self._chance.randint(*FAR_PERCENT),
            flags=flags,
            ioc=False,
            reduce_only=is_reduce_only and flags == SHORT_TERM,
        )

    def _place(
        self,
        market: MarketState,
        side: Side,
        quantums: int,
        *,
        percent: int,
        flags: int,
        ioc: bool,
        reduce_only: bool = False,
    ) -> None:
        spec = market.spec
        shift = spec.subticks_shift
        oracle = market.price * 10**shift if shift >= 0 else market.price // 10**-shift
        step, tick = spec.step_base_quantums, spec.subticks_per_tick
        self._orders += 1
        is_short = flags == SHORT_TERM
        self._chain.check(
            PlaceOrder(
                order_id=OrderId(
                    subaccount=self._account,
                    client_id=FIRST_ID + self._orders,
                    order_flags=flags,
                    clob_pair_id=spec.clob_pair_id,
                ),
                side=side,
                quantums=max(quantums // step, 1) * step,
                subticks=max(oracle * (100 + percent) // 100 // tick, 1) * tick,
                good_til_block=self._chain.height + 15 if is_short else 0,
                good_til_block_time=0 if is_short else self._chain.time // 1_000 + LIVES_S,
                time_in_force=IMMEDIATE_OR_CANCEL if ioc else GOOD_TIL_TIME,
                reduce_only=reduce_only,
            )
        )

    def _withdraw(self) -> None:
        state = self._chain.committed
        risk = state.risk(state.subaccount(self._account.owner, self._account.number))
        free = max(risk.nc - risk.imr, 0)
        amount = free * self._chance.choice((1, 5, 9)) // 10
        if amount:
            self._chain.check(
                Withdraw(sender=self._account, recipient=self._account.owner, quantums=amount)
            )
