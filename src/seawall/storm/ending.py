"""Once the faults have stopped: has the guard finished, or has it told a person why not?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from seawall.agent import Agent, Kind
from seawall.decide.memory import Alarm, Memory, Numbered
from seawall.decide.panic import with_rule
from seawall.decide.standing import FLOAT_EMPTY, KEY_FAULT
from seawall.decide.telling import budget_key
from seawall.intervention import End, has_work, runs_once
from seawall.journal.codec import from_json
from seawall.journal.store import Journal
from seawall.measures.spec import NoData, Value
from seawall.policy import Level, Rule, TopUpUntil
from seawall.simulator.chain import Chain
from seawall.storm.case import OWNER, Case
from seawall.storm.stops import ids_of

CAUSES = ("stalled", "unreachable", "interlock", "not-flat")  # of pages about a level
GENERAL = ("state/blind", "state/stale", "ledger/account", KEY_FAULT)

Ends = Mapping[str, End]  # RULE[/INSTANCE]/LEVEL -> how its last intervention ended
Values = Mapping[str, Value]  # RULE[/INSTANCE] -> its last reading


def unfinished(
    agent: Agent | None,
    chain: Chain,
    case: Case,
    *,
    ends: Ends,
    values: Values,
    fell_back: Collection[str],
) -> Iterator[str]:
    """Levels that still act for nothing, with nobody told.

    `fell_back` are levels whose target was out of reach, so that `or_else` was their goal.
    """
    if agent is None:
        yield "it never came back"
        return
    if not any(account.held for account in chain.committed.subaccounts_of(OWNER)):
        return
    memory = agent.memory
    rules = {rule.id: rule for rule in with_rule(case.policy, memory).rules}
    for key, held in memory.alarms.items():
        found = _acting(rules[held.rule], held)
        if found is None:
            continue
        level, phase = found
        name = f"{key}/{level.name}"
        is_last_goal = runs_once(level) or name in fell_back
        if _is_done(level, ends.get(name), values.get(key), is_last_goal=is_last_goal):
            continue
        if _is_told(memory, level, name):
            continue
        running = [each.name for each in memory.running if each.key == key]
        yield f"{name} is {phase} at {values.get(key)}, runs {running}, pages {list(memory.pages)}"


def unprotected(agent: Agent | None, chain: Chain, case: Case) -> Iterator[str]:
    """Positions that no stop of ours waits for, with nobody told."""
    if agent is None or case.policy.backstop is None:
        return
    state = chain.committed
    pages = _standing(agent.memory)
    is_held = agent.memory.pause is not None or any(
        page.startswith(("state/", "panic")) for page in pages
    )
    tickers = {market.spec.perpetual_id: market.spec for market in state.markets.values()}
    for account in state.subaccounts_of(OWNER):
        for one in account.held:
            spec = tickers[one.perpetual_id]
            ids = ids_of(chain.chain_id, OWNER, account.id.number, spec.clob_pair_id)
            waits = [
                order
                for order in state.open_orders(OWNER)
                if order.order.order_id.client_id in ids
                and order.order.order_id.clob_pair_id == spec.clob_pair_id
                and not order.is_triggered
                and order.order.side is not None
                and order.order.side.sign * one.quantums < 0
            ]
            name = f"{account.id.number}/{spec.ticker}"
            is_left = spec.ticker in case.policy.hands_off.markets or is_held
            is_told = f"backstop/{name}" in pages or f"none {name}" in agent.memory.stops.told
            if abs(one.quantums) >= spec.step_base_quantums and not (waits or is_left or is_told):
                yield f"{name} holds {one.quantums} and has no stop, pages {list(pages)}"


def _acting(rule: Rule, held: Alarm) -> tuple[Level, str] | None:
    """The highest level that moves cash or size and is not clear, with its phase."""
    for level, state in zip(reversed(rule.levels), reversed(held.levels), strict=True):
        if has_work(level) and state.phase.value != "clear":
            return level, state.phase.value
    return None


def _is_done(level: Level, end: End | None, value: Value | None, *, is_last_goal: bool) -> bool:
    """Whether its last intervention, if any, reached its goal, and no other is asked for."""
    if end is None:  # nothing was there to do: all that is held is hands-off, say
        return isinstance(value, Decimal) and not level.trigger.holds(value)
    if end is not End.REACHED:
        return False
    return is_last_goal or not (isinstance(value, NoData | None) or level.trigger.holds(value))


def _is_told(memory: Memory, level: Level, name: str) -> bool:
    """Whether a page stands that says why the level does not get there.

    The page of its firing is none: it says what is wanted, not why that does not happen.
    """
    about = {f"{name}/{cause}" for cause in CAUSES} | set(GENERAL)
    if any(isinstance(do, TopUpUntil) for do in level.do):
        about.add(FLOAT_EMPTY)
    budgets = {budget_key(each.name) for each in memory.running if each.name.startswith(f"{name}#")}
    budgets.add(budget_key(f"{name} lock"))
    return not (about | budgets).isdisjoint(_standing(memory))


def _standing(memory: Memory) -> frozenset[str]:
    """Keys of pages about what is so now."""
    return frozenset(key for key, page in memory.pages.items() if not page.is_over)


def unresolved(journal: Journal, memory: Memory) -> Iterator[str]:
    """Actions that were written down to be sent, are over, and whose end nobody wrote down."""
    waiting = {one.action_id for one in memory.sent} | {one.action_id for one in memory.cancels}
    waiting |= {one.action_id for one in memory.stops.sent}
    if memory.top_up is not None:
        waiting.add(memory.top_up.action_id)
    sending: dict[str, int] = {}
    for row in journal.rows(Kind.SENDING):
        assert row.body is not None
        sending[from_json(Numbered, row.body).id] = row.seq
    for row in journal.rows(Kind.OUTCOME):
        assert row.body is not None
        for name in [name for name in sending if f'"action_id":"{name}"' in row.body]:
            if row.seq > sending[name]:
                del sending[name]
    for name, sequence in sending.items():
        if name not in waiting:
            yield f"action {name} of row {sequence} has no outcome"
