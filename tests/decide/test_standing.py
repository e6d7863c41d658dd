"""A guard that cannot act says so, whatever its rules are."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import FloatWallet, KeyReach, Missing, Observation
from seawall.decide import decide
from seawall.decide.memory import Memory
from seawall.decide.standing import FLOAT_EMPTY, KEY_FAULT, KEY_REACH
from seawall.policy import FloatSource, HandsOff, Mode, Policy
from seawall.rulefile.load import parse
from seawall.units import MINUTE, Millis, QuoteQuantums
from tests.see import BTC, book, see

RULES = """
rules:
  - id: floor
    why: "Cash first."
    measure: equity
    trigger: "< $1_000"
    target: ">= $2_000"
    clear: ">= $1_800"
    do: [notify, {top_up: {until: target, max: $3_000}}]
"""
SOURCE = FloatSource(address="dydx1float", floor=Decimal(50))
POLICY = replace(parse(RULES).policy, float_source=SOURCE)


def seen(*, dollars: str = "5000", faults: tuple[str, ...] = ()) -> Observation:
    held = see(equity=23_000, positions={"BTC-USD": (0.06, 100_000)})
    balance = QuoteQuantums(int(Decimal(dollars) * 1_000_000))
    wallet = FloatWallet(address="dydx1float", balance=balance, sequence=0, account_number=1)
    return replace(held, float_wallet=wallet, advice=replace(held.advice, key_faults=faults))


def pages(observation: Observation, mode: Mode = Mode.LIVE, policy: Policy = POLICY) -> set[str]:
    _, made = decide(policy, Memory(), observation, mode=mode)
    return {message.key for message in made.messages}


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [("60", set()), ("59.999999", {FLOAT_EMPTY}), ("0", {FLOAT_EMPTY})],
)
def test_a_float_that_cannot_pay_a_top_up_pages(dollars: str, expected: set[str]) -> None:
    assert pages(seen(dollars=dollars)) == expected


def test_a_float_that_no_rule_uses_pages_nobody() -> None:
    idle = replace(POLICY, rules=())

    assert pages(seen(dollars="0"), policy=idle) == set()


def test_faults_of_the_key_page_until_they_are_gone() -> None:
    broken = seen(faults=("it was removed",))
    memory, made = decide(POLICY, Memory(), broken, mode=Mode.LIVE)
    assert [each.text for each in made.messages] == [
        "The guard cannot rely on its key: it was removed."
    ]

    memory, made = decide(POLICY, memory, later(broken, 4 * MINUTE), mode=Mode.LIVE)
    assert made.messages == ()
    memory, made = decide(POLICY, memory, later(broken, 5 * MINUTE), mode=Mode.LIVE)
    assert [each.key for each in made.messages] == [KEY_FAULT]

    memory, made = decide(POLICY, memory, later(seen(), 6 * MINUTE), mode=Mode.LIVE)
    assert KEY_FAULT not in memory.pages


def reached(reach: KeyReach | Missing) -> Observation:
    return replace(seen(), advice=replace(seen().advice, key_reach=reach))


ELSEWHERE = KeyReach(clob_pairs=frozenset({1}))
WATCHING = """
  - id: key-reach
    why: "A position that the guard's key cannot close is not guarded."
    measure: outside_reach
    trigger: "> 0"
    do: [page]
"""


@pytest.mark.parametrize(
    ("reach", "mode", "expected"),
    [
        (ELSEWHERE, Mode.LIVE, {KEY_REACH}),
        (KeyReach(subaccounts=frozenset({128})), Mode.LIVE, {KEY_REACH}),
        (KeyReach(clob_pairs=frozenset({BTC.clob_pair_id})), Mode.LIVE, set()),
        (Missing(reason="no node told"), Mode.LIVE, set()),
        (ELSEWHERE, Mode.DRY_RUN, set()),
    ],
)
def test_a_position_that_the_key_cannot_close_pages_whatever_the_rules_are(
    reach: KeyReach | Missing, mode: Mode, expected: set[str]
) -> None:
    assert pages(reached(reach), mode) == expected


def test_the_reach_is_told_once_where_a_rule_watches_it_and_not_of_what_is_hands_off() -> None:
    watched = parse(RULES + WATCHING).policy
    kept = replace(POLICY, hands_off=HandsOff(markets=("BTC-USD",)))

    assert pages(reached(ELSEWHERE), policy=watched) == {"key-reach/watch"}
    assert pages(reached(ELSEWHERE), policy=kept) == set()


def test_on_paper_no_key_and_no_float_is_needed() -> None:
    assert pages(seen(dollars="0", faults=("removed",)), mode=Mode.DRY_RUN) == set()


def quoted(mid: str, passed: int = 0) -> Observation:
    """A bitcoin of $100,000 by the oracle, with a book around another mid."""
    now = later(seen(), passed)
    books = {"BTC-USD": book(BTC, mid, seen_at=now.seen_at)}
    return replace(now, advice=replace(now.advice, books=books))


@pytest.mark.parametrize(("mid", "told"), [("103000", False), ("103010", True), ("96990", True)])
@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.DRY_RUN])
def test_an_oracle_price_outside_the_band_pages(mid: str, mode: Mode, *, told: bool) -> None:
    assert pages(quoted(mid), mode) == ({"prices/BTC-USD"} if told else set())


def test_an_oracle_price_that_comes_and_goes_pages_once_a_minute() -> None:
    memory, made = decide(POLICY, Memory(), quoted("110000"), mode=Mode.LIVE)
    (page,) = made.messages
    assert page.text.startswith(
        "BTC-USD: the oracle price $100,000 is 10% from the book's mid $110,000, limit 3%. "
    )

    memory, made = decide(POLICY, memory, quoted("100000", 1_000), mode=Mode.LIVE)
    memory, again = decide(POLICY, memory, quoted("110000", 2_000), mode=Mode.LIVE)
    assert (made.messages, again.messages) == ((), ())

    memory, made = decide(POLICY, memory, quoted("100000", 61_000), mode=Mode.LIVE)
    memory, again = decide(POLICY, memory, quoted("110000", 62_000), mode=Mode.LIVE)
    assert [len(one.messages) for one in (made, again)] == [0, 1]


def later(observation: Observation, passed: int) -> Observation:
    moment = Millis(observation.at + passed)
    height = observation.height + passed // 1_000
    return replace(observation, at=moment, seen_at=moment, height=height)
