"""What running interventions want becomes one plan: cash first, then the cheapest reductions.

The greedy plan takes the largest maintenance margin released per dollar of cost first, level of
the book by level, and stops at the step at which the target holds. Every promise is evaluated on
paper in the chain's arithmetic (see trial); a plan is what the integers say, not what was hoped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from seawall import units, words
from seawall.account import Observation
from seawall.action import Leg, Plan, Refusal, RefusalCode
from seawall.intervention import beyond_goal, sizes
from seawall.margin import notional
from seawall.measures import MEASURES
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import acceptance, fixed, pricing, trial
from seawall.plan.claims import claims_of, holds, is_met
from seawall.plan.demand import CutDemand, Demand, Means, Reason, Slot, UntilDemand
from seawall.plan.trial import Quote, Trial
from seawall.policy import Bound, MeasureRef
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums

TOP_UP_LEAST = 10  # dollars; less is not worth a transaction
BEYOND: Reason = (
    RefusalCode.NO_DEPTH,
    "the target is beyond today's depth and bound; the rest follows next window",
)
TAKEN_BACK: Reason = (
    RefusalCode.CROSSES_TRIGGER,
    "what is closed for other targets takes it back; the rest follows next window",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What the plan should not cross: the trigger of an acting level.

    Where that `is_met` already and nothing can be done for it, what is worse than it is now.
    """

    key: str
    measure: MeasureRef
    instance: Instance
    trigger: Bound
    is_met: bool = False


def propose(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
    barred: frozenset[Slot] = frozenset(),
) -> Plan:
    """The plan for all demands together.

    `scenarios` are those that some rule names: legs of a flatten must not make them worse.
    `guards` that the plan crosses are named in it; for a target nothing `barred` is cut.
    """
    dropped: list[Refusal] = []
    quotes = quotes_for(view, demands, means, dropped)
    paper = Trial(
        before=view,
        caught_up=trial.caught_up(view),
        quotes=quotes,
        cash=dict(means.cash_in_flight),
    )
    whole = fixed.cuts(paper, demands, scenarios)
    paper, left_out = fixed.within_orders(whole, demands, scenarios, means)
    dropped += left_out
    until = [demand for demand in demands if isinstance(demand, UntilDemand)]
    top_up = _top_up(paper, until, means, dropped)
    if top_up is not None:
        number, amount = top_up
        paper = paper.with_cash(number, amount + paper.cash_of(number))
    for demand in until:
        paper = _reduce_until(paper, demand, means, barred, dropped)
    dropped += _lost(paper, until, means, dropped)
    wanted, paper = paper, acceptance.accepted(paper)
    dropped += acceptance.cut_back(wanted, paper)
    given_up = tuple(crossed(view, paper.after(), guards))
    legs, left_out = fixed.as_orders(legs_of(paper, demands), view, means)
    return Plan(
        legs=legs,
        top_ups=() if top_up is None else (top_up,),
        claims=claims_of(view, paper.views(), demands),
        dropped=(*dropped, *left_out, *(not_kept(guard) for guard in given_up)),
        let_go=tuple(guard.key for guard in given_up),
    )


def crossed(view: View, after: View, guards: Sequence[Guard]) -> Iterator[Guard]:
    """The triggers that are not met before and are met after."""
    for guard in guards:
        if is_met(view, guard.measure, guard.instance, guard.trigger):
            continue
        if is_met(after, guard.measure, guard.instance, guard.trigger):
            yield guard


def not_kept(guard: Guard) -> Refusal:
    """A trigger that no plan for the demands could keep from, named."""
    unit = MEASURES[guard.measure.name].unit
    return Refusal(
        code=RefusalCode.CROSSES_TRIGGER,
        what=f"keep {guard.key} from {'getting worse' if guard.is_met else 'firing'}",
        detail=f"the plan may take {guard.measure} beyond {words.show(guard.trigger.value, unit)}",
    )


def reaches(paper: Trial, demand: UntilDemand) -> bool:
    """Whether a target holds on paper, at the oracle and once it has caught up with the mid."""
    return holds(paper.views(), demand)


def quotes_for(
    view: View, demands: Sequence[Demand], means: Means, dropped: list[Refusal]
) -> Mapping[Slot, Quote]:
    """Offers for every position that some demand wants cut; the loosest bound of them holds."""
    slippages: dict[Slot, int] = {}
    for demand in demands:
        allowed = demand.max_slippage
        if allowed is None:
            continue
        for slot in slots_of(demand, view.observation):
            slippages[slot] = max(allowed, slippages.get(slot, allowed))
    quotes, held = {}, sizes(view.observation)
    for slot, slippage in sorted(slippages.items()):
        quote = None if slot in means.closed else trial.quote_for(view, slot, slippage)
        if quote is None:
            market = view.observation.markets.get(slot[1])
            if market is not None and market.oracle_price <= 0:
                dropped.append(_no_price(slot))
            elif slot not in means.closed and slot in held:
                dropped.append(_no_taker(slot))
            continue
        quotes[slot] = quote
        if quote.depth < quote.market.step_base_quantums <= quote.held:
            dropped.append(_no_depth(quote))
    return quotes


def _no_price(slot: Slot) -> Refusal:
    return Refusal(
        code=RefusalCode.NO_DATA,
        what=f"close {slot[0]}/{slot[1]}",
        detail="the chain has no oracle price for it, so no order can be bounded; close it by hand",
    )


def _no_taker(slot: Slot) -> Refusal:
    return Refusal(
        code=RefusalCode.CHAIN_REFUSES,
        what=f"close {slot[0]}/{slot[1]}",
        detail="its subaccount owes more than it holds: the chain takes no price; add collateral",
    )


def _no_depth(quote: Quote) -> Refusal:
    number, ticker = quote.slot
    worst = quote.market.dollars(quote.worst)
    return Refusal(
        code=RefusalCode.NO_DEPTH,
        what=f"{quote.side.lower()} {number}/{ticker}",
        detail=f"no depth at {worst:f} or better; tried again in the next window",
    )


def _top_up(
    paper: Trial, demands: Sequence[UntilDemand], means: Means, dropped: list[Refusal]
) -> tuple[int, QuoteQuantums] | None:
    """The largest deposit that some level offers and needs, in whole dollars; None for none."""
    best: tuple[int, QuoteQuantums] | None = None
    for demand in demands:
        if demand.cash_most is None or reaches(paper, demand):
            continue
        number = demand.cash_to
        if number in means.cash_blocked:
            continue
        most = int(units.usd(min(means.cash, demand.cash_most)))
        if most < TOP_UP_LEAST:
            dropped.append(
                Refusal(
                    code=RefusalCode.FLOAT_SHORT,
                    what=f"top up {number}",
                    detail=f"${most} may be used, at least ${TOP_UP_LEAST} is needed",
                )
            )
            continue
        dollars = _least(TOP_UP_LEAST, most, partial(_reaches, paper, demand, number))
        amount = QuoteQuantums((most if dollars is None else dollars) * PPM_ONE)
        if best is None or amount > best[1]:
            best = (number, amount)
    return best


def _reaches(paper: Trial, demand: UntilDemand, number: int, dollars: int) -> bool:
    cash = dollars * PPM_ONE + paper.cash_of(number)
    return reaches(paper.with_cash(number, cash), demand)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Smallest integer in [low, high] at which a monotone predicate holds; None where it never."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True, slots=True)
class _Segment:
    """A price level of one position's market, in the order in which it is worth taking."""

    slot: Slot
    upto: int  # cumulative base quantums of that market once taken
    gain: Fraction  # maintenance margin released per unit of cost


def _segments(paper: Trial, demand: UntilDemand, barred: frozenset[Slot]) -> list[_Segment]:
    segments = []
    for slot in sorted(set(demand.slots) - barred):
        quote = paper.quotes.get(slot)
        if quote is None:
            continue
        tier, step = quote.market.tier, quote.market.step_base_quantums
        margin_ppm = Fraction(tier.initial_margin_ppm * tier.maintenance_fraction_ppm, PPM_ONE)
        seen = paper.before.observation
        price = pricing.reference(seen, slot[1], paper.before.price_band)
        total = 0
        for level in quote.levels:
            total = min(total + units.round_down(level.quantums, step), quote.depth)
            if total <= paper.cut_of(slot):
                continue
            adverse = quote.side.sign * (level.subticks - price) * PPM_ONE / price
            cost = max(adverse, Fraction(0)) + quote.fee_ppm
            segments.append(_Segment(slot, total, margin_ppm / max(cost, Fraction(1))))
    return sorted(segments, key=lambda segment: (-segment.gain, segment.slot, segment.upto))


def _within_orders(
    segments: Sequence[_Segment], paper: Trial, orders: int | None
) -> Sequence[_Segment]:
    """The segments of no more positions than there are orders for; those worth most come first."""
    opened = set(paper.closing())
    for segment in segments:
        if orders is None or len(opened) < orders:
            opened.add(segment.slot)
    return [segment for segment in segments if segment.slot in opened]


def _reduce_until(
    paper: Trial,
    demand: UntilDemand,
    means: Means,
    barred: frozenset[Slot],
    dropped: list[Refusal],
) -> Trial:
    """Add the cuts that bring one demand to its target, or all that depth and bound allow."""
    if demand.max_slippage is None or reaches(paper, demand):
        return paper
    every = _segments(paper, demand, barred)
    segments = _within_orders(every, paper, means.orders)

    def taken(count: int) -> Trial:
        cuts = dict(paper.cuts)
        for segment in segments[:count]:
            cuts[segment.slot] = segment.upto  # deeper levels come later: they cost no less
        return replace(paper, cuts=cuts)

    def holds(candidate: Trial) -> bool:
        return reaches(candidate, demand)

    count = _least(1, len(segments), lambda n: holds(taken(n))) if segments else None
    if count is None:
        is_few = len(segments) < len(every)
        dropped.append(_short(demand, paper, means if is_few else None, BEYOND))
        return taken(len(segments))
    last, base = segments[count - 1], taken(count - 1)
    step = paper.quotes[last.slot].market.step_base_quantums
    start = base.cut_of(last.slot) // step
    steps = _least(start, last.upto // step, lambda s: holds(base.with_cut(last.slot, s * step)))
    assert steps is not None
    return base.with_cut(last.slot, steps * step)


def _short(demand: UntilDemand, paper: Trial, means: Means | None, why: Reason) -> Refusal:
    """A target that is not reached: for want of orders where `means` bind, else why."""
    what, orders = f"reduce for {demand.key}", None if means is None else means.orders
    if orders is not None:
        few = fixed.few_words(orders, paper.before.observation.at)
        return Refusal(code=RefusalCode.BUDGET_ORDERS, what=what, detail=few)
    return Refusal(code=why[0], what=what, detail=why[1])


def _lost(
    paper: Trial, until: Sequence[UntilDemand], means: Means, dropped: Sequence[Refusal]
) -> list[Refusal]:
    """Targets that were reached by their own cuts, and lost by what others took after them."""
    told, views = {refusal.what for refusal in dropped}, paper.views()
    is_full = means.orders is not None and len(paper.closing()) >= means.orders
    lost = [
        _short(demand, paper, means if is_full else None, TAKEN_BACK)
        for demand in until
        if demand.max_slippage is not None and not holds(views, demand)
    ]
    return [refusal for refusal in lost if refusal.what not in told]


def legs_of(paper: Trial, demands: Sequence[Demand]) -> tuple[Leg, ...]:
    """The cuts of a paper account as legs, with what each is expected to do and who asked."""
    legs = []
    wanted = [(demand.name, slots_of(demand, paper.before.observation)) for demand in demands]
    for slot, quantums in sorted(paper.cuts.items()):
        if not quantums:
            continue
        quote = paper.quotes[slot]
        done = quote.walk(quantums)
        sign = -quote.side.sign
        at = reference_quotes(paper.before, slot[1], done.quantums)
        legs.append(
            Leg(
                subaccount=slot[0],
                ticker=slot[1],
                side=quote.side,
                quantums=BaseQuantums(quantums),
                worst_subticks=quote.worst,
                expected_quantums=done.quantums,
                expected_quote=done.quote,
                fee=done.fee,
                cost_vs_oracle=QuoteQuantums(sign * (at.oracle - done.quote) + done.fee),
                cost_vs_mid=QuoteQuantums(sign * (at.mid - done.quote) + done.fee),
                asked_by=tuple(name for name, slots in wanted if slot in slots),
            )
        )
    return tuple(legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuotes:
    """What a size is worth at the oracle and at the reference price, in quote quantums."""

    oracle: QuoteQuantums
    mid: QuoteQuantums


def reference_quotes(view: View, ticker: str, quantums: int) -> ReferenceQuotes:
    """The worth of `quantums` >= 0 that costs are measured from."""
    market = view.observation.markets[ticker]
    price = pricing.reference(view.observation, ticker, view.price_band)
    scale = Fraction(10) ** market.quantum_conversion_exponent
    return ReferenceQuotes(
        oracle=notional(market, quantums), mid=QuoteQuantums(int(price * quantums * scale))
    )


def slots_of(demand: Demand, seen: Observation) -> frozenset[Slot]:
    """The positions that a demand wants cut: none for cash alone, nor where its cut is done."""
    match demand:
        case UntilDemand():
            return frozenset(() if demand.max_slippage is None else demand.slots)
        case CutDemand():
            return frozenset(
                (keep.subaccount, keep.ticker) for keep in demand.keeps if beyond_goal(keep, seen)
            )
