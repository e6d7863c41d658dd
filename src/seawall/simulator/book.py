"""A market's book: the house's depth around the mid, users' resting orders, and what was taken.

DESIGN.md section 6: usable size between the touch and d bps of the mid is D0 x k x (d - h) / 10
dollars, k = max(1/50, 1 / (1 + (range60s / 0.5%)^2)), h = h0 / k; size taken comes back at 20% of
the rest per block. A level stands at the far edge of its band, rounded away from the mid, so the
book never offers more, nor better, than the formula.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from seawall.account import BookLevel, Side
from seawall.simulator.markets import Depth, MarketSpec
from seawall.simulator.messages import OrderId
from seawall.simulator.state import OpenOrder
from seawall.units import BaseQuantums, Millis, Ppm, Subticks

RANGE_WINDOW = Millis(60_000)
LEAST_DEPTH_PPM = 20_000  # k is at least 1/50
CALM_RANGE_INVERSE = 200  # 1 / 0.5%
TEN_BPS_PPM = 1_000
MILLION = 1_000_000
REST_KEPT = (4, 5)  # 80% of what was taken is still missing a block later
FORGOTTEN_SHARE = 100  # a hole below 1% of its row counts as refilled

BOTH = frozenset(Side)

ROWS_PPM = (
    *(50, 100, 200, 300, 400, 600, 800, 1_000, 1_300, 1_600, 2_000, 2_500, 3_000, 4_000, 5_000),
    *(6_500, 8_000, 10_000, 13_000, 16_000, 20_000, 25_000, 30_000, 40_000, 50_000),
)  # distance beyond the touch, 0.5 bps to 500 bps


class Maker(NamedTuple):
    """One maker at one price: the house (rows of its depth with what each has left) or a user."""

    subticks: int
    quantums: int
    rows: tuple[tuple[int, int], ...] = ()
    order: OpenOrder | None = None


class Shape:
    """The book as it stands at one moment; levels are worked out when first asked for."""

    def __init__(
        self,
        *,
        spec: MarketSpec,
        depth: Depth,
        mid: int,
        k_ppm: int,
        taken: Mapping[Side, Mapping[int, int]],
        orders: tuple[OpenOrder, ...],
        quoting: frozenset[Side] = BOTH,
    ) -> None:
        self._quoting = quoting
        self._spec = spec
        self._depth = depth
        self._taken = taken
        self._orders = orders
        self.mid = mid
        self.k_ppm = Ppm(k_ppm)
        self.half_spread_ppm = Ppm(-(-depth.half_spread_ppm * MILLION // k_ppm))

    def makers(self, side: Side) -> tuple[Maker, ...]:
        """Makers that buy or sell, best price first, then the house, then by arrival."""
        return self._bid_makers if side is Side.BUY else self._ask_makers

    @cached_property
    def bids(self) -> tuple[BookLevel, ...]:
        """Bid levels, highest first."""
        return self._levels(self._bid_makers)

    @cached_property
    def asks(self) -> tuple[BookLevel, ...]:
        """Ask levels, lowest first."""
        return self._levels(self._ask_makers)

    @cached_property
    def _bid_makers(self) -> tuple[Maker, ...]:
        return self._with_users(Side.BUY)

    @cached_property
    def _ask_makers(self) -> tuple[Maker, ...]:
        return self._with_users(Side.SELL)

    def _with_users(self, side: Side) -> tuple[Maker, ...]:
        house = self._house(side)
        users = [o for o in self._orders if o.order.side is side]
        if not users:
            return tuple(house)
        rested = [Maker(o.order.subticks, o.remaining, (), o) for o in users]
        everyone = house + sorted(rested, key=lambda m: m.order.arrival if m.order else 0)
        return tuple(sorted(everyone, key=lambda m: -side.sign * m.subticks))

    def _house(self, side: Side) -> list[Maker]:
        """The house's levels on one side, rows that fall on the same tick merged."""
        if side not in self._quoting:
            return []
        spec = self._spec
        tick, step = spec.subticks_per_tick, spec.step_base_quantums
        up, down = self._price_scale
        divisor = MILLION * down * tick
        missing = self._taken[side]
        reach, sign = self.half_spread_ppm, -side.sign
        levels: list[Maker] = []
        for row, full in enumerate(self._sizes):
            size = max(full - missing.get(row, 0), 0) // step * step if missing else full
            if size == 0:
                continue
            # Floor division of a negative number rounds an ask up and leaves a bid down.
            price = -sign * up * (MILLION + sign * (reach + ROWS_PPM[row])) // divisor
            subticks = -sign * price * tick
            if subticks <= 0:
                break
            if levels and levels[-1][0] == subticks:
                near = levels[-1]
                levels[-1] = Maker(subticks, near.quantums + size, (*near.rows, (row, size)))
            else:
                levels.append(Maker(subticks, size, ((row, size),)))
        return levels

    def _levels(self, makers: tuple[Maker, ...]) -> tuple[BookLevel, ...]:
        """Makers of one side as levels, one per price."""
        if not self._orders:  # the house's levels stand at different prices already
            return tuple(BookLevel(Subticks(m[0]), BaseQuantums(m[1])) for m in makers)
        sizes: dict[int, int] = {}
        for maker in makers:
            sizes[maker.subticks] = sizes.get(maker.subticks, 0) + maker.quantums
        return tuple(BookLevel(Subticks(s), BaseQuantums(q)) for s, q in sizes.items())

    @property
    def _price_scale(self) -> tuple[int, int]:
        """The mid in subticks as numerator and denominator."""
        shift = self._spec.subticks_shift
        return self.mid * 10 ** max(shift, 0), 10 ** max(-shift, 0)

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        """Base quantums of each row before anything was taken, a multiple of the step."""
        return row_sizes(self._spec, self._depth, self.mid, self.k_ppm)


class Book:
    """The changing book of one market; `shape` is what it is now."""

    def __init__(self, spec: MarketSpec, mid: int, at: Millis) -> None:
        self.spec = spec
        self.depth = spec.depth
        self.quoting = BOTH
        self.mid = mid
        self.orders: dict[OrderId, OpenOrder] = {}
        self._samples: deque[tuple[int, int]] = deque(((at, mid),))
        self._taken: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._shape: Shape | None = None

    def fork(self) -> Book:
        """A copy to try orders on; it shares nothing that changes with the original."""
        copy = Book(self.spec, self.mid, Millis(0))
        copy.depth = self.depth
        copy.quoting = self.quoting
        copy.orders = dict(self.orders)
        copy._samples = self._samples.copy()
        copy._taken = {side: dict(rows) for side, rows in self._taken.items()}
        copy._shape = self._shape
        return copy

    @property
    def is_refilling(self) -> bool:
        """Whether some of what was taken has not come back."""
        return bool(self._taken[Side.BUY] or self._taken[Side.SELL])

    @property
    def shape(self) -> Shape:
        """The book as it stands; the same object until something changes."""
        if self._shape is None:
            taken = {side: dict(rows) for side, rows in self._taken.items()}
            self._shape = Shape(
                spec=self.spec,
                depth=self.depth,
                mid=self.mid,
                k_ppm=self.k_ppm,
                taken=taken,
                orders=tuple(self.orders.values()),
                quoting=self.quoting,
            )
        return self._shape

    @property
    def k_ppm(self) -> Ppm:
        """What is left of the calm depth, from the range of the mid over the last 60 s."""
        prices = [price for _, price in self._samples]
        low, spread = min(prices), max(prices) - min(prices)
        if spread == 0:
            return Ppm(MILLION)
        calm = low * low
        left = MILLION * calm // (calm + (CALM_RANGE_INVERSE * spread) ** 2)
        return Ppm(max(LEAST_DEPTH_PPM, left))

    def step(self, at: Millis, mid: int) -> None:
        """Move to the next block: the mid moves, the range window slides, holes refill.

        A sample holds until the next one, so the value in force when the window opens counts
        however long ago it was set: a jump in time cannot hide a move.
        """
        samples = self._samples
        has_moved = mid != self.mid
        if has_moved:
            self.mid = mid
            samples.append((at, mid))
        expires = at - RANGE_WINDOW
        has_slid = False
        while len(samples) > 1 and samples[1][0] <= expires:
            samples.popleft()
            has_slid = True
        if self.is_refilling:
            self._refill()
            has_moved = True
        if has_moved or has_slid:
            self._shape = None

    def take(self, side: Side, maker: Maker, quantums: int) -> None:
        """Note that `quantums` of the house's level on `side` are gone."""
        rest = quantums
        for row, left in maker.rows:
            part = min(rest, left)
            if part > 0:
                self._taken[side][row] = self._taken[side].get(row, 0) + part
            rest -= part
        assert rest == 0, "more was taken from a level than it offered"
        self._shape = None

    def put(self, order: OpenOrder) -> None:
        """Rest an order, or replace what is known of one that rests."""
        self.orders[order.order.order_id] = order
        self._shape = None

    def drop(self, order_id: OrderId) -> OpenOrder | None:
        """Take a resting order off; None where there is none."""
        self._shape = None
        return self.orders.pop(order_id, None)

    def set_depth(self, depth: Depth) -> None:
        """Change the calm depth."""
        self.depth = depth
        self._shape = None

    def set_quoting(self, sides: frozenset[Side]) -> None:
        """Let the house quote on these sides only."""
        self.quoting = sides
        self._shape = None

    def _refill(self) -> None:
        calm = row_sizes(self.spec, self.depth, self.mid, MILLION)
        kept, of = REST_KEPT
        for side, rows in self._taken.items():
            left = {row: taken * kept // of for row, taken in rows.items()}
            self._taken[side] = {
                row: taken for row, taken in left.items() if taken * FORGOTTEN_SHARE > calm[row]
            }


def row_sizes(spec: MarketSpec, depth: Depth, mid: int, k_ppm: int) -> tuple[int, ...]:
    """Base quantums that each row adds, so that every cumulative sum is the formula's, in steps."""
    shift = spec.notional_shift
    step = spec.step_base_quantums
    size = depth.per_ten_bps * k_ppm * 10 ** max(-shift, 0)
    per = TEN_BPS_PPM * MILLION * mid * 10 ** max(shift, 0) * step
    sizes = []
    before = 0
    for distance in ROWS_PPM:
        total = size * distance // per * step
        sizes.append(total - before)
        before = total
    return tuple(sizes)
