"""From what is wanted to the cheapest plan that serves it: demands, prices, programme, paper."""

from seawall.plan.greedy import (
    Guard,
    ReferenceQuotes,
    is_met,
    is_unreachable,
    reference_quotes,
    value_of,
)
from seawall.plan.programme import propose, propose_simply, recompute

__all__ = [
    "Guard",
    "ReferenceQuotes",
    "is_met",
    "is_unreachable",
    "propose",
    "propose_simply",
    "recompute",
    "reference_quotes",
    "value_of",
]
