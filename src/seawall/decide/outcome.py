"""What became of what was sent, read from the chain: fills, positions, balance and sequence.

An order of window n is dead at its good-til-block, and every observation at or beyond that height
already contains whatever it filled. A broadcast reply says nothing here, but for one: a deposit
that no node took is in no mempool, its bytes are never sent again, and so it has failed at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from seawall import margin, units
from seawall.account import Fill, Missing, Observation, Side
from seawall.action import WINDOW_BLOCKS, Ending, Outcome
from seawall.budget import Spent
from seawall.decide import depth, settled
from seawall.decide.attribution import BY_VENUE
from seawall.decide.memory import CancelSent, Memory, Sent, TopUpSent
from seawall.intervention import Intervention
from seawall.units import BaseQuantums, Millis, QuoteQuantums

TOP_UP_CLOSED = units.MINUTE  # after a deposit that failed or died


def resolve(memory: Memory, seen: Observation) -> tuple[Memory, tuple[Outcome, ...]]:
    """Memory with every outcome that this observation settles, and those outcomes."""
    outcomes: list[Outcome] = []
    open_sent = []
    spent = memory.spent
    doubts = dict(memory.doubts)
    ended: set[tuple[int, str, int]] = set()
    for sent in memory.sent:
        outcome = _of_reduction(sent, seen)
        if outcome is None:
            open_sent.append(sent)
            continue
        order = (sent.action.subaccount, sent.action.ticker, sent.action.client_id)
        if order in ended:  # a panic that died sent it too: the chain fills an id once
            outcomes.append(_nothing(sent, seen))
            continue
        ended.add(order)
        outcomes.append(outcome)
        spent = _spend(spent, sent, outcome)
        if outcome.filled > 0:
            memory = _got_further(memory, sent.interventions, seen.at)
            memory = settled.note_fill(memory, sent.interventions, outcome)
        found = depth.doubt(sent.levels, sent.action, outcome.filled, seen)
        if found is not None:
            doubts[sent.action.subaccount, sent.action.ticker] = found
    cancels = _open_cancels(memory, seen, outcomes)
    memory = replace(memory, sent=tuple(open_sent), cancels=cancels, spent=spent, doubts=doubts)
    top_up = memory.top_up
    ending = None if top_up is None else _of_top_up(top_up, seen)
    if top_up is not None and ending is not None:
        memory = _after_top_up(memory, top_up, ending, seen)
        outcomes.append(
            Outcome(action_id=top_up.action_id, ending=ending, height=seen.height, at=seen.at)
        )
    return memory, tuple(outcomes)


def refused(memory: Memory, action_id: str) -> Memory:
    """Memory once no node took an action; of a deposit nothing more is waited for."""
    top_up = memory.top_up
    if top_up is None or top_up.action_id != action_id:
        return memory
    return replace(memory, top_up=replace(top_up, is_refused=True))


def _of_reduction(sent: Sent, seen: Observation) -> Outcome | None:
    """The outcome of a reduction; None while it may still fill."""
    action = sent.action
    if seen.height < action.good_til_block:
        return None
    fills = _fills_of(sent, seen)
    # Fills are told later than the state: a shrink that no record of another explains is ours.
    filled = max(sum(fill.quantums for fill in fills), _shrunk(sent, seen))
    quote = sum(_quote(fill, sent) for fill in fills)
    fee = sum(fill.fee for fill in fills)
    sign = -action.side.sign
    oracle = sent.oracle_quote * filled // action.quantums
    mid = sent.mid_quote * filled // action.quantums
    known = bool(fills)
    ending = Ending.FILLED if filled >= action.quantums else Ending.PARTIAL
    return Outcome(
        action_id=sent.action_id,
        ending=ending if filled > 0 else Ending.NOTHING,
        height=seen.height,
        at=seen.at,
        filled=BaseQuantums(filled),
        quote=QuoteQuantums(quote),
        fee=QuoteQuantums(fee),
        cost_vs_oracle=QuoteQuantums(sign * (oracle - quote) + fee if known else 0),
        cost_vs_mid=QuoteQuantums(sign * (mid - quote) + fee if known else 0),
    )


def _nothing(sent: Sent, seen: Observation) -> Outcome:
    """The outcome of a second body for an order id, whose fills are the first's."""
    return Outcome(action_id=sent.action_id, ending=Ending.NOTHING, height=seen.height, at=seen.at)


def _fills_of(sent: Sent, seen: Observation) -> Sequence[Fill]:
    if isinstance(seen.advice.fills, Missing):
        return ()
    action = sent.action
    return [
        fill
        for fill in seen.advice.fills
        if fill.client_id == action.client_id
        and (fill.subaccount, fill.ticker) == (action.subaccount, action.ticker)
        and fill.height > sent.height
    ]


def _quote(fill: Fill, sent: Sent) -> int:
    exponent = sent.market.quantum_conversion_exponent
    return units.fill_quote(fill.subticks, fill.quantums, exponent)


def _shrunk(sent: Sent, seen: Observation) -> int:
    """How much the position shrank since the order was decided, at most the order.

    What fills of other orders explain is not counted: the owner trades in our windows too.
    """
    action = sent.action
    position = seen.subaccount(action.subaccount).position(action.ticker)
    held = 0 if position is None else position.quantums
    direction = 1 if action.side is Side.SELL else -1
    by_others = sum(-fill.side.sign * fill.quantums for fill in _of_others(sent, seen))
    return max(0, min(action.quantums, direction * (sent.held - held - by_others)))


def _of_others(sent: Sent, seen: Observation) -> Iterator[Fill]:
    """Fills of the position since the order was decided that were surely not the order's."""
    if isinstance(seen.advice.fills, Missing):
        return
    action = sent.action
    for fill in seen.advice.fills:
        if (fill.subaccount, fill.ticker) != (action.subaccount, action.ticker):
            continue
        is_known = fill.is_foreign or fill.kind in BY_VENUE or fill.client_id is not None
        is_later = sent.height < fill.height <= seen.height
        if is_later and is_known and fill.client_id != action.client_id:
            yield fill


def _spend(spent: Spent, sent: Sent, outcome: Outcome) -> Spent:
    if outcome.filled <= 0:
        return spent
    notional = sent.oracle_quote * outcome.filled // sent.action.quantums
    return replace(
        spent,
        hour_orders=spent.hour_orders + 1,
        hour_notional=QuoteQuantums(spent.hour_notional + notional),
        day_cost=QuoteQuantums(spent.day_cost + outcome.cost_vs_oracle),
    )


def _open_cancels(
    memory: Memory, seen: Observation, outcomes: list[Outcome]
) -> tuple[CancelSent, ...]:
    """Cancels still to wait for; one that had no effect within a window may be sent again."""
    orders = seen.advice.orders
    shown: set[tuple[int, str, int, int]] = set()
    if not isinstance(orders, Missing):
        shown = {(o.subaccount, o.ticker, o.client_id, o.order_flags) for o in orders}
    still = []
    for sent in memory.cancels:
        action = sent.action
        one = (action.subaccount, action.ticker, action.client_id, action.order_flags)
        is_over = seen.height >= sent.height + WINDOW_BLOCKS
        if isinstance(orders, Missing) or (one in shown and not is_over):
            still.append(sent)
            continue
        ending = Ending.NOTHING if one in shown else Ending.GONE
        outcomes.append(
            Outcome(action_id=sent.action_id, ending=ending, height=seen.height, at=seen.at)
        )
    return tuple(still)


def _of_top_up(sent: TopUpSent, seen: Observation) -> Ending | None:
    """How a deposit ended; None while it may still land."""
    wallet = seen.float_wallet
    if wallet is None:
        return None
    if wallet.sequence > sent.sequence:
        return Ending.LANDED if _has_landed(sent, seen) else Ending.FAILED
    if sent.is_refused:
        return Ending.FAILED
    return Ending.DEAD if seen.height >= sent.timeout_height else None


def _has_landed(sent: TopUpSent, seen: Observation) -> bool:
    """Whether what used the sequence was a deposit like ours.

    Either the float wallet is poorer by about the amount (a failed one costs its gas alone), or the
    recipient richer, both states valued at today's prices. Neither alone is enough: the owner may
    fill the float meanwhile, and fills of the same plan may cost more than half of a small deposit.
    """
    wallet = seen.float_wallet
    assert wallet is not None
    if sent.amount <= (sent.float_before - wallet.balance) * 2 <= sent.amount * 4:
        return True
    markets = {**sent.markets, **seen.markets}
    before = margin.risk(sent.before, markets).nc
    now = margin.risk(seen.subaccount(sent.before.number), markets).nc
    return (now - before) * 2 >= sent.amount


def _after_top_up(memory: Memory, sent: TopUpSent, ending: Ending, seen: Observation) -> Memory:
    if ending is Ending.LANDED:
        memory = _got_further(memory, sent.interventions, seen.at)
        memory = settled.note_deposit(memory, sent.interventions, sent.amount)
        running = tuple(_credit(one, sent) for one in memory.running)
        return replace(memory, top_up=None, running=running)
    spent = replace(
        memory.spent, day_top_up=QuoteQuantums(max(0, memory.spent.day_top_up - sent.amount))
    )
    closed = Millis(seen.at + TOP_UP_CLOSED)
    return replace(memory, top_up=None, spent=spent, top_up_closed_until=closed)


def _got_further(memory: Memory, names: Collection[str], at: Millis) -> Memory:
    """Memory in which these interventions have made progress now."""
    running = tuple(
        replace(one, progress_at=at) if one.name in names else one for one in memory.running
    )
    return replace(memory, running=running)


def _credit(running: Intervention, sent: TopUpSent) -> Intervention:
    if running.name not in sent.interventions:
        return running
    return replace(running, topped_up=QuoteQuantums(running.topped_up + sent.amount))
