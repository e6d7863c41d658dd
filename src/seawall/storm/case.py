"""One bad day as a value: account, rules, prices, faults, guards and trader, drawn from chance."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal

from seawall.account import PARENTS, MarketType
from seawall.policy import Policy
from seawall.rulefile.load import parse
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.faults.schedule import Fault, Faults, random_faults
from seawall.simulator.markets import MARKETS, TICKERS, MarketSpec
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.wallets import Gate
from seawall.storm.operator import Order, orders_for
from seawall.storm.rulebook import rules_for, with_stacked_levels
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis, Ppm, QuoteQuantums

CHAOS_BLOCKS = 420  # prices move, faults begin, guards die and the trader trades within these
CALM = Millis(180 * SECOND)  # then everything rests, and the guard has this long to finish
FAULTS_WITHIN = 360
ROOM = Millis(40 * HOUR)  # time on the path for halts of hours
EPOCH = Millis(1_700_000_000_000 // DAY * DAY)
PRICES = {"BTC-USD": 60_000.0, "ETH-USD": 3_000.0, "SOL-USD": 150.0}
FLOAT = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
OWNER = "guarded"
BACKSTOP = "backstop: {scenario: gap, at: 60%, slippage: 500bps}\n"
ISOLATED = "SOL-USD"  # the market that a child holds alone
CHILD = PARENTS
CUSTOM_PPM = (50_000, 100_000, 200_000, 500_000)  # initial fractions that an owner chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The guard dies `steps` steps of its work after `block`, and is away for some blocks.

    Steps are reads, journal rows and sends; with zero it dies between two ticks.
    """

    block: int
    steps: int
    away: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardCase:
    """One guard: how late it sees, how often it looks, when it dies, when its disk is full."""

    delay: Millis
    lag: int  # blocks that its node is behind
    every: int  # blocks between its looks
    restarts: tuple[Restart, ...]
    disk_full: range  # blocks in which its journal takes no row
    spilling: range = range(0)  # blocks in which its rows go to the spill file
    is_standby: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything about one bad day; the same case is the same day."""

    seed: int
    path: Path
    equity: Decimal
    parts: tuple[tuple[str, Decimal], ...]  # signed dollars per market
    float_dollars: Decimal
    gas_fee: QuoteQuantums
    rules: str
    policy: Policy
    faults: Faults
    reduce_only: ReduceOnly
    gate: Gate
    guards: tuple[GuardCase, ...]
    trades: float  # chance that the trader does something in a block
    trader_seed: int
    has_child: bool = False  # its isolated market is a child subaccount's, with a share of equity
    leverage: tuple[tuple[str, Ppm], ...] = ()  # custom initial fractions, where they are taken
    orders: tuple[Order, ...] = ()  # of the operator, in order of blocks, to each guard

    @property
    def child_equity(self) -> Decimal:
        """Dollars of the child; none where there is none."""
        return self.equity / len(self.parts) if self.has_child else Decimal(0)

    def parts_of(self, number: int) -> dict[str, Decimal]:
        """Signed dollars per market of a subaccount."""
        child = {ISOLATED} if self.has_child else set()
        return {t: part for t, part in self.parts if (number == CHILD) is (t in child)}

    @property
    def markets(self) -> tuple[MarketSpec, ...]:
        """The venue's markets; the child's is isolated."""
        if not self.has_child:
            return MARKETS
        return tuple(
            replace(spec, market_type=MarketType.ISOLATED) if spec.ticker == ISOLATED else spec
            for spec in MARKETS
        )

    @property
    def words(self) -> str:
        """The case for a person who replays it."""
        faults = "".join(f"  {_fault_words(one)}\n" for one in self.faults.faults)
        guards = "".join(f"  {one}\n" for one in self.guards)
        book = ", ".join(f"${dollars:,.0f} of {ticker}" for ticker, dollars in self.parts)
        more = f"child {CHILD} holds {ISOLATED}\n" if self.has_child else ""
        more += "".join(f"custom leverage {ppm} ppm in {t}\n" for t, ppm in self.leverage)
        more += "".join(f"operator at {one.block}: {one.command}\n" for one in self.orders)
        return (
            f"seed {self.seed}: ${self.equity:,} holds {book}; ${self.float_dollars:,} in the float"
            f" wallet; reduce-only {self.reduce_only}, gate {self.gate}, trader {self.trades}\n"
            f"{more}faults:\n{faults}guards:\n{guards}{self.rules}"
        )


def _fault_words(fault: Fault) -> str:
    return f"{fault.kind} {fault.when} {fault.first}-{fault.last} {fault.ticker or ''}".rstrip()


def case_of(seed: int) -> Case:
    """The case of a seed."""
    return draw(random.Random(f"storm|{seed}"), seed)


def draw(chance: random.Random, seed: int) -> Case:
    """A case from a source of chance; `seed` is only its name."""
    tickers = TICKERS[: chance.choice((1, 2, 3, 3))]
    equity = Decimal(chance.choice((3_000, 30_000, 300_000)))
    leverage = Decimal(chance.choice((1, 3, 5, 8, 12)))
    side = chance.choice((-1, 1))
    parts = tuple(
        (ticker, side * _odd(chance) * equity * leverage / len(tickers)) for ticker in tickers
    )
    hands_off = chance.choice(tickers) if chance.random() < 0.05 else ""
    text, policy = rules_for(
        chance, equity=equity, leverage=leverage, address=FLOAT, hands_off=hands_off
    )
    honoured = chance.random() < 0.85
    plain = Case(
        seed=seed,
        path=_path(chance, tickers, side),
        equity=equity,
        parts=parts,
        float_dollars=equity * chance.choice((0, 1, 2)) / 4 + 60,
        gas_fee=QuoteQuantums(chance.choice((0, 12_500))),
        rules=text,
        policy=policy,
        faults=random_faults(chance.getrandbits(32), FAULTS_WITHIN, tickers=tickers),
        reduce_only=ReduceOnly.HONOURED if honoured else ReduceOnly.IGNORED,
        gate=chance.choice(tuple(Gate)),
        guards=tuple(_guard(chance) for _ in range(chance.choice((1, 1, 2)))),
        trades=chance.choice((0.0, 0.0, 0.01, 0.05)),
        trader_seed=chance.getrandbits(32),
    )
    # Drawn last, so that a seed without backstops stays the day that it was before there were any.
    if chance.random() < 0.6:
        plain = with_backstop(plain)
    plain = _broadened(chance, plain)
    return with_stacked_rule(chance, plain, leverage) if chance.random() < 0.2 else plain


def with_stacked_rule(chance: random.Random, case: Case, leverage: Decimal) -> Case:
    """The same day under the same rules, and one whose upper level cuts once."""
    text = with_stacked_levels(chance, case.rules, leverage)
    return replace(case, rules=text, policy=parse(text, file="drawn.yaml").policy)


def with_backstop(case: Case) -> Case:
    """The same day under the same rules, with stops on the chain."""
    text = case.rules.replace("\nbudgets:", f"\n{BACKSTOP}budgets:", 1)
    return replace(case, rules=text, policy=parse(text, file="drawn.yaml").policy)


def _broadened(chance: random.Random, plain: Case) -> Case:
    """The case with what only some days have: a child, custom leverage, an operator, a spill."""
    tickers = [ticker for ticker, _ in plain.parts]
    leverage: tuple[tuple[str, Ppm], ...] = ()
    if chance.random() < 0.25:
        leverage = tuple((t, Ppm(chance.choice(CUSTOM_PPM))) for t in tickers)
    orders: tuple[Order, ...] = ()
    if chance.random() < 0.3:
        rules = [rule.id for rule in plain.policy.rules]
        orders = orders_for(chance, rules, blocks=CHAOS_BLOCKS)
    broad = replace(
        plain,
        has_child=ISOLATED in tickers and chance.random() < 0.3,
        leverage=leverage,
        orders=orders,
        guards=tuple(replace(one, spilling=_spilling(chance)) for one in plain.guards),
    )
    first, *others = broad.guards
    stand_by = (replace(one, is_standby=chance.random() >= 0.5) for one in others)
    return replace(broad, guards=(first, *stand_by))


def _spilling(chance: random.Random) -> range:
    if chance.random() >= 0.15:
        return range(0)
    first = chance.randint(1, CHAOS_BLOCKS)
    return range(first, min(first + chance.randint(1, 120), CHAOS_BLOCKS))


def _odd(chance: random.Random) -> int:
    """Mostly one side, sometimes a hedge."""
    return -1 if chance.random() < 0.15 else 1


def _path(chance: random.Random, tickers: tuple[str, ...], side: int) -> Path:
    """Legs of prices within the chaos, against the book more often than not, then rest."""
    start = EPOCH + chance.choice((9 * HOUR, 10 * HOUR - 3 * MINUTE, DAY - 4 * MINUTE))
    moves = []
    at = start
    while at < start + CHAOS_BLOCKS * SECOND - 30 * SECOND:
        at += chance.randint(5, 90) * SECOND
        size = chance.choice((0.0, 0.002, 0.01, 0.03, 0.06))
        moves.append((Millis(at), -side * size * chance.choice((1, 1, 1, -1))))
    lines = {}
    for ticker in tickers:
        price = PRICES[ticker]
        points = [Point(Millis(start), price)]
        for at, move in moves:
            price *= 1 + move * chance.choice((0.5, 1.0, 1.3))
            points.append(Point(at, price))
        lines[ticker] = Line(points)
    return Path(lines, start=Millis(start), end=Millis(start + ROOM), name="storm")


def _guard(chance: random.Random) -> GuardCase:
    first = chance.randint(1, CHAOS_BLOCKS)
    full = chance.randint(1, 60) if chance.random() < 0.1 else 0
    return GuardCase(
        delay=Millis(chance.choice((0, 300, 2_000))),
        lag=chance.choice((0, 0, 0, 1, 2)),
        every=chance.choice((1, 1, 2, 3)),
        restarts=tuple(
            Restart(
                block=chance.randint(1, CHAOS_BLOCKS - 60),
                steps=chance.randint(0, 12),
                away=chance.choice((0, 1, 5, 40)),
            )
            for _ in range(chance.choice((0, 0, 1, 3)))
        ),
        disk_full=range(first, min(first + full, CHAOS_BLOCKS)),
    )
