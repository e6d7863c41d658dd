"""What a node answers to queries, each from one committed state.

`QUERIES` is the table of the methods served; every other method is UNIMPLEMENTED, as on a node that
is older than its client. Sources: reference ORDERS.md section 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from seawall.simulator.serve.queries import clob, cosmos, exchange, leverage
from seawall.simulator.serve.queries.answer import Answerer, Constants, NotFound, Query

QUERIES: Mapping[str, Answerer] = {
    query.path: query
    for query in (*cosmos.QUERIES, *exchange.QUERIES, *clob.QUERIES, *leverage.QUERIES)
}

__all__ = ["QUERIES", "Answerer", "Constants", "NotFound", "Query"]
