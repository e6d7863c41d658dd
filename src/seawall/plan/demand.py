"""What running interventions still want, as values for the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seawall.action import RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.policy import Bound, MeasureRef
from seawall.units import Ppm, QuoteQuantums

Slot = tuple[int, str]  # a position: subaccount number and ticker
Reason = tuple[RefusalCode, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilDemand:
    """Bring a measure to its target by cash and size, whichever the level offers."""

    name: str  # the intervention
    key: str  # RULE[/INSTANCE]
    measure: MeasureRef
    instance: Instance
    target: Bound
    slots: tuple[Slot, ...]  # positions in scope
    max_slippage: Ppm | None  # None: the level does not reduce
    cash_most: QuoteQuantums | None  # None: the level does not top up

    @property
    def cash_to(self) -> int:
        """The subaccount that a deposit for it goes to: of several in scope the first."""
        if self.instance.subaccount is not None:
            return self.instance.subaccount
        return min(self.instance.subaccounts, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDemand:
    """Bring positions down to fixed sizes."""

    name: str
    key: str
    measure: MeasureRef  # of the rule, and what a plan does to it is claimed
    instance: Instance
    keeps: tuple[Keep, ...]
    max_slippage: Ppm
    in_proportion: bool = False  # legs of a flatten that must not make a scenario worse


Demand = UntilDemand | CutDemand


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a plan may use this tick, and what is already under way."""

    closed: Mapping[Slot, Reason] = field(default_factory=dict)  # not to be traded now, and why
    cash: QuoteQuantums = QuoteQuantums(0)  # of the float wallet above its floor and in budget
    cash_later: QuoteQuantums = QuoteQuantums(0)  # the same once the deposit in flight has ended
    cash_blocked: frozenset[int] = frozenset()  # subaccounts that cannot be topped up now
    cash_in_flight: tuple[tuple[int, QuoteQuantums], ...] = ()
    cash_price: Ppm = Ppm(0)  # what a dollar of cash costs beside the cost of size
    notional_left: QuoteQuantums | None = None  # of the hour's budget; None is no bound
    cost_left: QuoteQuantums | None = None  # of the day's budget
    orders_left: int | None = None  # of the hour's budget, which binds levels that page too
    overdrawing: frozenset[str] = frozenset()  # demands, by name, that no such budget binds
    unbound: Mapping[Slot, int] | None = None  # what these want cut; None: not worked out yet

    @property
    def orders(self) -> int | None:
        """How many orders a plan may have; None where there is no bound, and where none is left.

        Of a plan for an hour that has no order left the last gate refuses each by name.
        """
        return self.orders_left or None
