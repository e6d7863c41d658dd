"""A plan as actions of this window, and what the last gate says of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from seawall import action, limits
from seawall.account import Observation
from seawall.action import Action, Cancel, Leg, Plan, Reduce, Refusal, RefusalCode, TopUp
from seawall.intervention import sizes
from seawall.limits import Asked, Standing
from seawall.measures.view import View
from seawall.plan.demand import Demand, Reason, Slot, UntilDemand
from seawall.policy import Policy
from seawall.units import BaseQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A plan cut to the budgets, what they cut from it, and what of each position binds them not.

    None where no planner made one.
    """

    plan: Plan | None = None
    cut_short: tuple[Refusal, ...] = ()
    unbound: Mapping[Slot, int] = field(default_factory=dict)  # base quantums


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A plan, what the budgets cut from it, and what the last gate says of its actions."""

    plan: Plan | None
    cut_short: tuple[Refusal, ...]
    names: Mapping[Action, tuple[str, ...]]  # who asked
    passed: tuple[Action, ...]
    refused: tuple[Refusal, ...]

    @property
    def refused_orders(self) -> tuple[Refusal, ...]:
        """What the gate says of the plan's reductions that it lets not pass."""
        return tuple(one for one in self.refused if isinstance(one.action, Reduce))

    def stopped(self, seen: Observation, closed: Collection[Slot]) -> Mapping[Slot, Reason]:
        """Positions to be left alone by a plan whose claims hold of what the gate lets pass.

        Each with why, beside those that are `closed` already. Where orders are too many, all that
        has not passed: another order would be too many too.
        """
        found: dict[Slot, Reason] = {}
        for one in self.refused_orders:
            slots = _slots([one.action])
            if one.code is RefusalCode.BUDGET_ORDERS:
                slots = frozenset(sizes(seen)) - _slots(self.passed)
            slots -= found.keys() | set(closed)
            found |= dict.fromkeys(slots, (one.code, one.detail))
        return found


def _slots(actions: Iterable[Action | None]) -> frozenset[Slot]:
    return frozenset((one.subaccount, one.ticker) for one in actions if isinstance(one, Reduce))


def judge(
    view: View,
    demands: Sequence[Demand],
    made: Proposed,
    *,
    policy: Policy,
    cancels: Sequence[tuple[Cancel, str]],
    standing: Standing,
) -> Judged:
    """Cancels, then a plan's deposits and reductions, before the last gate."""
    seen = view.observation
    asked: list[tuple[Asked, tuple[str, ...]]] = [
        (Asked(action=cancel), (level,)) for cancel, level in cancels
    ]
    if made.plan is not None:
        asked.extend(_asked_by_plan(made.plan, demands, seen, made.unbound))
    passed, refused = limits.judge([one for one, _ in asked], seen, policy, standing)
    return Judged(
        plan=made.plan,
        cut_short=made.cut_short,
        names={one.action: who for one, who in asked},
        passed=passed,
        refused=refused,
    )


def _asked_by_plan(
    proposed: Plan, demands: Sequence[Demand], seen: Observation, unbound: Mapping[Slot, int]
) -> Iterable[tuple[Asked, tuple[str, ...]]]:
    """The plan's top-ups and reductions as actions of this window, with who asked."""
    wallet = seen.float_wallet
    for number, amount in proposed.top_ups:
        assert wallet is not None
        top_up = TopUp(
            subaccount=number,
            amount=amount,
            sequence=wallet.sequence,
            account_number=wallet.account_number,
            timeout_height=seen.height + action.TOP_UP_TIMEOUT_BLOCKS,
        )
        who = tuple(
            demand.name
            for demand in demands
            if isinstance(demand, UntilDemand)
            and demand.cash_most is not None
            and demand.cash_to == number
        )
        yield Asked(action=top_up), who
    for leg in proposed.legs:
        one = Asked(
            action=_reduce(leg, seen),
            free=BaseQuantums(unbound.get((leg.subaccount, leg.ticker), 0)),
            cost=leg.cost_vs_oracle,
        )
        yield one, leg.asked_by


def _reduce(leg: Leg, seen: Observation) -> Reduce:
    market = seen.markets[leg.ticker]
    window = action.window_of(seen.height)
    return Reduce(
        subaccount=leg.subaccount,
        ticker=leg.ticker,
        clob_pair_id=market.clob_pair_id,
        side=leg.side,
        quantums=leg.quantums,
        subticks=leg.worst_subticks,
        window=window,
        good_til_block=action.good_til_block(window),
        client_id=action.client_id(
            seen.chain_id, seen.owner, leg.subaccount, market.clob_pair_id, window
        ),
    )
