"""From what is wanted to the cheapest plan that serves it: demands, prices, paper, proposal."""

from seawall.plan.greedy import (
    Guard,
    ReferenceQuotes,
    is_met,
    is_unreachable,
    propose,
    reference_quotes,
    value_of,
)

__all__ = [
    "Guard",
    "ReferenceQuotes",
    "is_met",
    "is_unreachable",
    "propose",
    "reference_quotes",
    "value_of",
]
