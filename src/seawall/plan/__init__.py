"""From what is wanted to the cheapest plan that serves it: demands, prices, programme, paper."""

from seawall.plan.claims import is_met, value_of
from seawall.plan.greedy import Guard, ReferenceQuotes, reference_quotes
from seawall.plan.programme import GREEDY, propose, propose_simply, recompute
from seawall.plan.proof import restated
from seawall.plan.reachable import AtBest, is_unreachable
from seawall.plan.rows import HELD_BY_HEDGES
from seawall.plan.unbound import unbound

__all__ = [
    "GREEDY",
    "HELD_BY_HEDGES",
    "AtBest",
    "Guard",
    "ReferenceQuotes",
    "is_met",
    "is_unreachable",
    "propose",
    "propose_simply",
    "recompute",
    "reference_quotes",
    "restated",
    "unbound",
    "value_of",
]
