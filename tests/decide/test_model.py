"""The tick against an independent model: random series, gaps, halts, restarts, trades and fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.action import Reduce, good_til_block, may_send, window_of
from seawall.decide.memory import Acknowledge, Command, Rearm
from seawall.units import Millis
from tests.decide.guarded import Guarded, guarded, ladder
from tests.decide.model import Guard, Rung
from tests.see import AT, BTC, book

HEAD = (
    "budgets: {per_hour: {notional: 100000%, orders: 100000}, per_day: {cost: 99%}}\n"
    "interlocks: {max_interventions: {count: 10000, per: market, over: 30m}}\n"
)
LOT = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One tick of a play."""

    seconds: int
    price: int
    lots: int = 0  # what the trader trades first
    fill: Decimal = Decimal(1)
    is_lost: bool = False  # the book is far off, so the measure has no data
    is_blind: bool = False
    rearms: bool = False
    stops: bool = False


def flow(rung: Rung) -> str:
    """A rung of the model in the words of a rule file."""
    parts = [f"name: {rung.name}", f'trigger: "> ${rung.trigger}"', f"for: {rung.hold}s"]
    if rung.clear is not None:
        parts.append(f'clear: "< ${rung.clear}"')
    parts += [f"clear_for: {rung.clear_hold}s", f"cooldown: {rung.cooldown}s"]
    if rung.latch:
        parts.append(f'latch: "{rung.latch}"' if rung.latch != "manual" else "latch: manual")
    do = ["page"]
    if rung.target is not None:
        parts.append(f'target: "<= ${rung.target}"')
        do.append("{reduce: {until: target, max_slippage: 100bps}}")
    elif rung.keep == 0:
        do.append(f"{{flatten: {{max_slippage: 200bps, give_up_after: {rung.patience}s}}}}")
    elif rung.keep is not None:
        do.append(f"{{reduce: {{amount: {int((1 - rung.keep) * 100)}%, max_slippage: 100bps}}}}")
    return "{" + ", ".join([*parts, f"do: [{', '.join(do)}]"]) + "}"


HOLDS = st.sampled_from([0, 0, 3, 7])
COOLDOWNS = st.sampled_from([0, 10, 60])
LATCHES = st.sampled_from(["", "", "manual", "00:00Z"])


@st.composite
def rungs(draw: st.DrawFn) -> list[Rung]:
    """A ladder: a level that speaks, one that cuts, one that closes once; some of them."""
    speaks = Rung(
        name="watch",
        trigger=9_000,
        clear=draw(st.sampled_from([None, 8_500])),
        hold=draw(HOLDS),
        clear_hold=draw(HOLDS),
    )
    until = draw(st.booleans())
    cuts = Rung(
        name="act",
        trigger=10_000,
        clear=draw(st.sampled_from([9_500, 8_000])),
        hold=draw(HOLDS),
        clear_hold=draw(HOLDS),
        cooldown=draw(COOLDOWNS),
        latch=draw(LATCHES),
        keep=None if until else Fraction(draw(st.sampled_from([50, 67, 90])), 100),
        target=draw(st.sampled_from([9_800, 7_000])) if until else None,
    )
    closes = Rung(
        name="panic",
        trigger=11_000,
        clear=draw(st.sampled_from([None, 8_000])),
        hold=draw(HOLDS),
        clear_hold=draw(HOLDS),
        cooldown=draw(COOLDOWNS),
        latch=draw(st.sampled_from(["manual", "00:00Z"])),
        keep=(keep := draw(st.sampled_from([Fraction(0), Fraction(95, 100)]))),
        patience=None if keep else 90,
    )
    chosen = draw(st.sampled_from([(0, 1, 2), (0, 1), (1, 2), (1,), (2,), (0,)]))
    return [(speaks, cuts, closes)[index] for index in chosen]


turns = st.builds(
    Turn,
    seconds=st.sampled_from([1, 1, 1, 1, 2, 4, 5, 6, 30, 61, 3_600, 40_000]),
    price=st.sampled_from([70_000, 85_000, 89_000, 92_000, 101_000, 104_000, 112_000]),
    lots=st.sampled_from([0, 0, 0, 0, 100, 350, -120]),
    fill=st.sampled_from([Decimal(1), Decimal("0.4"), Decimal(0)]),
    is_lost=st.sampled_from([False, False, False, False, True]),
    is_blind=st.sampled_from([False] * 9 + [True]),
    rearms=st.sampled_from([False] * 9 + [True]),
    stops=st.sampled_from([False] * 4 + [True]),
)


@given(ladder_of=rungs(), played=st.lists(turns, min_size=5, max_size=60))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_tick_does_what_the_model_says(ladder_of: list[Rung], played: list[Turn]) -> None:
    _play(ladder_of, played)


# Over wild turns a level hardly ever reaches its target and is fed again within its cooldown.
fed = st.builds(
    Turn,
    seconds=st.sampled_from([1, 1, 2, 5, 12]),
    price=st.just(100_000),
    lots=st.sampled_from([0, 0, 0, 0, 0, 10, 150, -150]),
)


@given(
    cooldown=st.sampled_from([10, 60]),
    target=st.sampled_from([9_800, 7_000]),
    played=st.lists(fed, min_size=30, max_size=60),
)
@settings(max_examples=40, deadline=None)
def test_a_level_that_is_fed_again_restarts_as_the_model_says(
    cooldown: int, target: int, played: list[Turn]
) -> None:
    until = Rung(name="act", trigger=10_000, clear=6_000, cooldown=cooldown, target=target)
    first = Turn(seconds=1, price=100_000, lots=50)

    _play([until], [first, *played])


# A flatten that finds nothing to trade with loses its patience, and a person ends it, or trades.
thwarted = st.builds(
    Turn,
    seconds=st.sampled_from([1, 5, 31, 61]),
    price=st.just(100_000),
    lots=st.sampled_from([0, 0, 0, 20, -80]),
    fill=st.sampled_from([Decimal(0), Decimal(0), Decimal(0), Decimal("0.1")]),
    rearms=st.sampled_from([False] * 19 + [True]),
    stops=st.booleans(),
)


@given(
    latch=st.sampled_from(["manual", "00:00Z"]),
    cooldown=st.sampled_from([0, 10]),
    played=st.lists(thwarted, min_size=10, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_what_a_person_stopped_stays_so_as_the_model_says(
    latch: str, cooldown: int, played: list[Turn]
) -> None:
    trims = Rung(name="act", trigger=10_000, clear=6_000, cooldown=cooldown, target=9_800)
    closes = Rung(
        name="panic", trigger=11_000, clear=None, latch=latch, keep=Fraction(0), patience=90
    )
    first = Turn(seconds=1, price=100_000, lots=150, fill=Decimal(0))

    _play([trims, closes], [first, *played])


def _play(ladder_of: list[Rung], played: list[Turn]) -> None:
    world = guarded(ladder(*map(flow, ladder_of), head=HEAD), equity=10**6)
    model = Guard(key="size", rungs=ladder_of, lot=Fraction(LOT))
    busy_until = 0
    doubted = -1  # window up to which levels that gave nothing are not believed
    for turn in played:
        _prepare(world, turn)
        if turn.is_blind:
            decision = world.blind(seconds=turn.seconds)
            assert not decision.actions
            assert not decision.transitions
            continue
        commands: list[Command] = [Rearm(key="size")] if turn.rearms else []
        commands += [Acknowledge(stops_flatten=True)] if turn.stops else []
        decision = world.tick(*commands, seconds=turn.seconds)
        lots = int(world.sizes["BTC-USD"] / LOT)
        value = None if turn.is_lost and lots else Fraction(lots * turn.price) * Fraction(LOT)

        now = world.at // 1_000
        started, ended = model.see(
            now, value, lots, rearmed=turn.rearms, is_told_to_stop=turn.stops
        )

        assert world.phases() == model.phases
        assert [(one.name, one.end.value) for one in decision.ended] == ended
        assert [one.name for one in decision.started] == started
        assert world.running == ([] if model.campaign is None else [model.campaign.name])
        if any(one.filled == 0 for one in decision.outcomes):
            doubted = window_of(world.height)
        sent = [one.action for one in decision.actions if isinstance(one.action, Reduce)]
        wanted = model.wants(now, turn.price, value, lots)
        may = may_send(world.height) and world.height >= busy_until
        if not wanted or not may:
            assert not sent
        elif not turn.is_lost and (sent or window_of(world.height) > doubted):
            assert [action.quantums for action in sent] == [wanted * BTC.step_base_quantums]
        if sent:
            model.sent(now)
            busy_until = good_til_block(window_of(world.height))


def _prepare(world: Guarded, turn: Turn) -> None:
    world.fill = turn.fill
    world.move("BTC-USD", turn.price)
    if world.sizes["BTC-USD"] + turn.lots * LOT >= 0:
        world.trade("BTC-USD", turn.lots * LOT)
    at = Millis(world.at + turn.seconds * 1_000)
    mid = turn.price * (Decimal("0.9") if turn.is_lost else 1)
    world.books = {"BTC-USD": book(BTC, mid, seen_at=at)}


def test_the_play_starts_on_a_whole_second() -> None:
    assert AT % 1_000 == 0
