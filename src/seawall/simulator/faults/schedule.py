"""A schedule of faults as a value: by block, by rule (`when`), or drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from seawall.simulator.faults.kinds import USUAL, FaultKind, When

LONGEST_BLOCKS = 60  # of a drawn fault
FEWEST, MOST = 1, 6  # drawn faults of one schedule
HALT_SECONDS = (30, 600, 7_200, 21_600)
SKEW_SECONDS = (-20, -2, 2, 5, 8)  # of the first, blocks are from the future
SIDES = (-1, 1)
ONE_BLOCK = frozenset(
    {
        FaultKind.ORACLE_JUMP,
        FaultKind.CHAIN_HALT,
        FaultKind.MARKET_SETTLED,
        FaultKind.LIQUIDATION,
        FaultKind.DELEVERAGING,
        FaultKind.SECOND_TRADER,
    }
)
SENDING = (
    FaultKind.BROADCAST_LOST,
    FaultKind.ANSWER_LOST,
    FaultKind.ACCEPTED_LOST,
    FaultKind.DELIVERED_TWICE,
    FaultKind.NODE_SLOW,
    FaultKind.NODE_UNAVAILABLE,
    FaultKind.FILLS_PARTIAL,
    FaultKind.SECOND_TRADER,
)
# What a seed draws from; to a guard a blocked indexer is a limited one.
DRAWN = tuple(kind for kind in FaultKind if kind is not FaultKind.INDEXER_BLOCKED)
SENDINGS = (When.SEND, When.CANCEL, When.REDUCE, When.TOP_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, from block `first` to block `last` inclusive, counted from its `when`.

    The block that is played first is 1. `ticker` None is every market. A size that is None is the
    kind's usual one.
    """

    kind: FaultKind
    first: int
    last: int
    when: When = When.START
    ticker: str | None = None
    amount: Decimal | None = None
    seconds: int | None = None
    blocks: int | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.first <= self.last, "a fault ends after it begins"

    @property
    def size(self) -> Decimal:
        """The fraction that it is about; its sign is the kind's."""
        return USUAL[self.kind].amount if self.amount is None else self.amount

    @property
    def length_s(self) -> int:
        """The seconds that it is about."""
        return USUAL[self.kind].seconds if self.seconds is None else self.seconds

    @property
    def lag(self) -> int:
        """How many blocks late or old."""
        return USUAL[self.kind].blocks if self.blocks is None else self.blocks

    def concerns(self, ticker: str) -> bool:
        """Whether a market is meant."""
        return self.ticker in (None, ticker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """A whole schedule; an empty one is a good day."""

    faults: tuple[Fault, ...] = ()

    @property
    def last(self) -> int:
        """The last block at which a fault of fixed blocks is in force; 0 where there is none."""
        return max((one.last for one in self.faults if one.when is When.START), default=0)


CALM = Faults()


def random_faults(
    seed: int,
    blocks: int,
    kinds: tuple[FaultKind, ...] = DRAWN,
    tickers: tuple[str, ...] = (),
) -> Faults:
    """A schedule drawn from a seed: one to six faults that begin within `blocks`.

    The same arguments give the same schedule. With `tickers`, faults of prices and books may
    concern one market only.
    """
    assert blocks >= 1, "a fault needs a block"
    chance = random.Random(f"faults|{seed}")
    count = chance.randint(FEWEST, MOST)
    return Faults(faults=tuple(_draw(chance, blocks, kinds, tickers) for _ in range(count)))


def _draw(
    chance: random.Random, blocks: int, kinds: tuple[FaultKind, ...], tickers: tuple[str, ...]
) -> Fault:
    kind = chance.choice(kinds)
    first = chance.randint(1, blocks)
    length = 0 if kind in ONE_BLOCK else chance.randint(0, min(LONGEST_BLOCKS, blocks))
    when = When.START
    if kind in SENDING and chance.random() < 0.5:
        when, first = chance.choice(SENDINGS), 1 if kind in ONE_BLOCK else 0
    ticker = None
    if (
        tickers
        and kind.value.startswith(("oracle", "book", "fills", "market"))
        and chance.random() < 0.5
    ):
        ticker = chance.choice(tickers)
    return Fault(
        kind=kind,
        first=first,
        last=first + length,
        when=when,
        ticker=ticker,
        amount=_amount(chance, kind),
        seconds=_seconds(chance, kind),
        blocks=None,
    )


def _amount(chance: random.Random, kind: FaultKind) -> Decimal | None:
    """A size of either sign where the kind has one, in whole parts of the usual."""
    usual = USUAL[kind].amount
    if kind in (FaultKind.ORACLE_JUMP, FaultKind.ORACLE_WRONG, FaultKind.BOOK_PREMIUM):
        return usual * chance.randint(1, 10) / 10 * chance.choice(SIDES)
    return None


def _seconds(chance: random.Random, kind: FaultKind) -> int | None:
    if kind is FaultKind.CHAIN_HALT:
        return chance.choice(HALT_SECONDS)
    if kind is FaultKind.CLOCK_SKEW:
        return chance.choice(SKEW_SECONDS)
    return None
