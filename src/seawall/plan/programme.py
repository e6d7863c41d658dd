"""The cheapest plan: a linear programme proposes, the chain's integers decide (RULES.md 4).

Of a plan with more orders than the hour has left another is found, in whole numbers. What the
solver proposes is rounded up to steps and evaluated again; where a claim fails, steps are added, at
most 50, or taken back where none more helps; where that is not enough the greedy plan is proposed,
and named. A trigger that rounding would cross and no step mends is let go by name, and the
programme solved again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from seawall.action import Plan
from seawall.measures.view import View
from seawall.plan import acceptance, fallback, fixed, greedy, shortfall, solver
from seawall.plan import desk as desks
from seawall.plan.claims import claims_of
from seawall.plan.demand import Demand, Means, Slot, UntilDemand
from seawall.plan.desk import TOP_UP_LEAST, Desk, desk_of
from seawall.plan.greedy import Guard
from seawall.plan.ladder import Best
from seawall.plan.model import Model
from seawall.plan.proof import proved
from seawall.plan.trial import Trial
from seawall.units import PPM_ONE, QuoteQuantums

STEPS_MOST = 50
CASH = "USDC"
LATER = "USDC later"  # once another deposit has ended
FIXED = "fixed sizes"
GREEDY = "greedy"

Proposal = tuple[tuple[int, str, int], ...]  # subaccount, ticker or "USDC", quantums


def propose(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
) -> Plan:
    """The cheapest plan for all demands together, with its claims.

    `scenarios` are those that some rule names: legs of a flatten must not make them worse.
    `guards` are triggers that the plan keeps from being met, where it can.
    """
    simple = partial(fallback.propose, view, demands, means, scenarios=scenarios, guards=guards)
    made = _proposed(view, demands, means, scenarios=scenarios, guards=guards, simple=simple)
    return proved(view, demands, means, made, guards)


def propose_simply(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
) -> Plan:
    """The greedy plan, where the programme cannot be asked: proved like any other."""
    made = fallback.propose(view, demands, means, scenarios=scenarios, guards=guards)
    return proved(view, demands, means, made, guards)


def recompute(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    stored: Plan,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
) -> Plan:
    """The plan that a stored proposal makes, bit for bit, without asking the solver again.

    The solver's floats may differ on another machine or version; all that follows them is integers.
    """
    if stored.solver == FIXED or stored.solver.startswith(GREEDY):
        simple = fallback.propose(view, demands, means, scenarios=scenarios, guards=guards)
        return proved(view, demands, means, replace(simple, solver=stored.solver), guards)
    desk = desk_of(view, demands, means, scenarios=scenarios, guards=guards)
    made = from_proposal(desk, stored.proposal, let_go=stored.let_go, short=stored.short)
    assert isinstance(made, Plan), "the proposal was not made from this"
    return proved(view, demands, means, replace(made, solver=stored.solver), guards)


def _proposed(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str],
    guards: Sequence[Guard],
    simple: Callable[[], Plan],
) -> Plan:
    if not any(isinstance(demand, UntilDemand) for demand in demands):
        return replace(simple(), solver=FIXED)
    desk = desk_of(view, demands, means, scenarios=scenarios, guards=guards)
    if not desk.unmet:
        return replace(simple(), solver=FIXED)
    model, let_go = Model(desk), tuple[str, ...]()
    while True:  # each round lets one more trigger go, or ends
        found = _solve(desk, model, let_go)
        if found is None:
            return _fallen_back(simple(), "the solver found no point")
        proposal = _proposal(desk, model, found)
        made = from_proposal(desk, proposal, let_go=found.let_go, short=found.short)
        match made:
            case Guard():
                let_go = (*found.let_go, made.key)
            case None:
                return _nearest(desk, proposal, found, simple)
            case Plan():
                return _or_simple(desk, made, simple)


def _or_simple(desk: Desk, made: Plan, simple: Callable[[], Plan]) -> Plan:
    """The plan, unless it fell short of what the greedy one reaches within the budgets."""
    if made.short and not all(claim.reached for claim in made.targets):
        other = simple()
        if all(claim.reached for claim in other.targets) and desks.fits(desk, other.legs):
            return _fallen_back(other, "the solver fell short of what the greedy plan reaches")
    return made


def _nearest(desk: Desk, proposal: Proposal, found: Best, simple: Callable[[], Plan]) -> Plan:
    """The greedy plan where steps do not mend a proposal, unless what is left of that is nearer.

    In whole steps there may be nothing that reaches all, though in parts of a step there was.
    """
    other = _fallen_back(simple(), f"a claim failed after {STEPS_MOST} added steps")
    if found.short or all(claim.reached for claim in other.targets):
        return other
    missed = tuple(demand.name for demand in desk.until)  # by less than what rounding takes
    near = from_proposal(desk, proposal, let_go=found.let_go, short=missed)
    if not isinstance(near, Plan) or _reached(near) < _reached(other):
        return other
    return near


def _reached(made: Plan) -> int:
    return sum(claim.reached for claim in made.targets)


def from_proposal(
    desk: Desk, proposal: Proposal, *, let_go: Sequence[str], short: Sequence[str]
) -> Plan | Guard | None:
    """The plan that the integers make of a proposal.

    A trigger that it crosses and no step mends is returned instead, and None where a claim fails.
    """
    paper = desk.paper
    top_ups: dict[int, int] = {}
    later: dict[int, int] = {}
    for number, ticker, amount in proposal:
        if ticker == CASH:
            top_ups[number] = amount
            paper = paper.with_cash(number, amount + paper.cash_of(number))
        elif ticker == LATER:
            later[number] = amount
        else:
            paper = paper.with_cut((number, ticker), amount)
    mended = _mended(desk, paper, later, let_go, short)
    if not isinstance(mended, tuple):
        return mended
    done, views = mended
    claims = claims_of(desk.view, views, desk.demands)
    gone = [guard for guard in desk.guards if guard.key in let_go]
    legs, left_out = fixed.as_orders(greedy.legs_of(done, desk.demands), desk.view, desk.means)
    return Plan(
        legs=legs,
        top_ups=tuple((n, QuoteQuantums(amount)) for n, amount in sorted(top_ups.items())),
        claims=claims,
        dropped=(
            *desk.refused,
            *left_out,
            *(
                shortfall.of(desk, done, demand, claim, later)
                for demand, claim in zip(desk.until, claims, strict=False)
                if not claim.reached
            ),
            *(greedy.not_kept(guard) for guard in gone),
        ),
        solver=solver.version(),
        proposal=proposal,
        let_go=tuple(let_go),
        short=tuple(short),
    )


def _mended(
    desk: Desk,
    paper: Trial,
    later: Mapping[int, int],
    let_go: Sequence[str],
    short: Sequence[str],
) -> tuple[Trial, tuple[View, ...]] | Guard | None:
    """The paper account with steps added until every claim holds and no kept trigger is met.

    With it what it leaves, at the oracle and at the mid. What comes `later` counts for the claims
    of those who wait for it, and for nothing that is met in the meantime.
    """
    added = 0
    while True:
        views = sent = paper.views()
        if later:
            fed = paper
            for number, amount in later.items():
                fed = fed.with_cash(number, fed.cash_of(number) + amount)
            views = fed.views()
        failing = [demand for demand in desk.failing(views) if demand.name not in short]
        crossed = desk.crossed(sent[0], let_go)
        if not failing and not crossed:
            return (paper, sent) if acceptance.accepted(paper) == paper else None
        stepped = None
        if added < STEPS_MOST:
            wanted = failing[0] if failing else crossed[0]
            gains = shortfall.gains(desk, wanted, views)
            stepped = _step_on(desk, paper, wanted, gains)
            if stepped is None and failing:
                stepped = _step_back(desk, paper, gains)
        if stepped is None:
            return None if failing else crossed[0]
        paper = stepped
        added += 1


def _step_on(
    desk: Desk, paper: Trial, wanted: UntilDemand | Guard, gains: Mapping[Slot, float]
) -> Trial | None:
    """With one step more where it helps most: of what is cut already comes first."""
    own = set(desk.rooms)
    if isinstance(wanted, UntilDemand):
        own &= set() if wanted.max_slippage is None else set(wanted.slots)
    helpful = [
        slot
        for slot, gain in sorted(gains.items())
        if gain > 0
        and slot in own
        and desks.has_room(desk, paper, slot)
        and (paper.cut_of(slot) or desk.may_open(paper))
    ]
    if not helpful:
        return None
    best = max(helpful, key=lambda slot: (bool(paper.cut_of(slot)), gains[slot]))
    return _stepped(paper, best, 1)


def _step_back(desk: Desk, paper: Trial, gains: Mapping[Slot, float]) -> Trial | None:
    """With one step less where it hurts most: rounding up has taken it too far."""
    hurting = [
        slot
        for slot, gain in sorted(gains.items())
        if gain < 0 and paper.cut_of(slot) > desk.paper.cut_of(slot)
    ]
    return _stepped(paper, min(hurting, key=lambda slot: gains[slot]), -1) if hurting else None


def _stepped(paper: Trial, slot: Slot, steps: int) -> Trial:
    step = paper.quotes[slot].market.step_base_quantums
    return paper.with_cut(slot, paper.cut_of(slot) + steps * step)


def _solve(desk: Desk, model: Model, let_go: Sequence[str]) -> Best | None:
    """What the solver proposes, with no deposit in turn where a subaccount may not wait for it."""
    allowed = {number: float(desk.most_cash(number)) for number in model.numbers}
    while True:
        found = model.best(let_go, allowed)
        if found is None:
            return None
        hasty = [n for n in _in_turn(desk, _deposits(model, found)) if not desk.may_wait(n)]
        if not hasty:
            return found
        allowed |= dict.fromkeys(hasty, 0.0)


def _deposits(model: Model, found: Best) -> Mapping[int, int]:
    """Dollars by subaccount, rounded up."""
    amounts = zip(model.numbers, found.values[len(model.columns) :], strict=True)
    return {
        number: max(TOP_UP_LEAST, int(-(-(float(amount) - 1e-6) // 1)))
        for number, amount in amounts
        if amount > 1e-6
    }


def _in_turn(desk: Desk, deposits: Mapping[int, int]) -> set[int]:
    """Whose deposits wait: one goes out at a time, the largest first."""
    waiting = sorted(deposits, key=lambda n: (-deposits[n], n))
    return set(waiting[1:] if desk.means.cash else waiting)


def _proposal(desk: Desk, model: Model, found: Best) -> Proposal:
    """Cuts rounded up to a step, never past what may be cut; cash rounded up to a dollar."""
    quantums = defaultdict[Slot, float](float)
    for column, value in zip(model.columns, found.values, strict=False):
        quantums[column.slot] += float(value) / column.each
    cuts: dict[Slot, int] = {}
    for slot, closed in sorted(quantums.items()):
        most, step = desk.rooms[slot], desk.paper.quotes[slot].market.step_base_quantums
        steps = int(-(-(closed / step - 1e-6) // 1))
        cuts[slot] = max(min(steps * step, most), desk.paper.cut_of(slot))
    within = _within_budget(desk, cuts)
    proposed: list[tuple[int, str, int]] = [(*slot, cut) for slot, cut in within.items() if cut]
    deposits = _deposits(model, found)
    in_turn = _in_turn(desk, deposits)
    for number, dollars in sorted(deposits.items()):
        proposed.append((number, LATER if number in in_turn else CASH, dollars * PPM_ONE))
    return tuple(proposed)


def _within_budget(desk: Desk, cuts: Mapping[Slot, int]) -> Mapping[Slot, int]:
    """The cuts, each a step smaller where rounding up has taken them beyond the hour's budget."""
    left, kept = desk.means.notional_left, dict(cuts)
    if left is None:
        return kept
    bound = [slot for slot in kept if desk.is_budgeted(slot)]
    over = sum(desks.worth(desk, s, desk.bound_of(s, kept[s])) for s in bound) - left
    for slot in bound:
        step = desk.paper.quotes[slot].market.step_base_quantums
        if over > 0 and kept[slot] - step >= desk.paper.cut_of(slot):
            kept[slot] -= step
            over -= desks.worth(desk, slot, step)
    return kept


def _fallen_back(simple: Plan, why: str) -> Plan:
    return replace(simple, solver=f"{GREEDY}: {why}")
