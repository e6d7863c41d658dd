"""The kinds of faults, what each does, and how large it is where nothing else is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    NODE_FROZEN = "node_frozen"
    NODE_DROPS = "node_drops"
    NODE_SLOW = "node_slow"
    NODE_UNAVAILABLE = "node_unavailable"
    NODE_SYNCING = "node_syncing"
    NODE_BEHIND = "node_behind"
    NODE_RESTARTED = "node_restarted"
    BROADCAST_LOST = "broadcast_lost"
    ANSWER_LOST = "answer_lost"
    ACCEPTED_LOST = "accepted_lost"
    EXECUTION_LATE = "execution_late"
    DELIVERED_TWICE = "delivered_twice"
    SEQUENCE_MISMATCH = "sequence_mismatch"
    KEY_REVOKED = "key_revoked"
    SMART_ACCOUNTS_OFF = "smart_accounts_off"
    INDEXER_STALE = "indexer_stale"
    INDEXER_TORN = "indexer_torn"
    INDEXER_SILENT = "indexer_silent"
    INDEXER_GAP = "indexer_gap"
    INDEXER_REORDERED = "indexer_reordered"
    INDEXER_CRASH = "indexer_crash"
    INDEXER_RATE_LIMITED = "indexer_rate_limited"
    INDEXER_BLOCKED = "indexer_blocked"
    WITHDRAWAL_LATE = "withdrawal_late"
    ORACLE_FROZEN = "oracle_frozen"
    ORACLE_LAGS = "oracle_lags"
    ORACLE_JUMP = "oracle_jump"
    ORACLE_WRONG = "oracle_wrong"
    BOOK_PREMIUM = "book_premium"
    BOOK_EMPTY = "book_empty"
    BOOK_ONE_SIDED = "book_one_sided"
    BOOK_CROSSED = "book_crossed"
    FILLS_PARTIAL = "fills_partial"
    MARKET_SETTLED = "market_settled"
    GATE_UP = "gate_up"
    CHAIN_HALT = "chain_halt"
    CLOCK_SKEW = "clock_skew"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    SECOND_TRADER = "second_trader"


class When(StrEnum):
    """What a fault that waits for something waits for; its blocks count from that moment."""

    START = "start"  # the first block that is played
    SEND = "send"
    CANCEL = "cancel"
    REDUCE = "reduce"
    TOP_UP = "top_up"
    BACKSTOP = "backstop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What a kind does, and its size where a fault does not give one."""

    what: str
    amount: Decimal = Decimal(0)  # a fraction: of a price, a size, a depth, an equity
    seconds: int = 0
    blocks: int = 0  # how late or how old


USUAL: Mapping[FaultKind, Usual] = {
    FaultKind.NODE_FROZEN: Usual(
        what="the node stays at one height, takes transactions, and loses them"
    ),
    FaultKind.NODE_DROPS: Usual(what="every second call to the node gets no answer and is lost"),
    FaultKind.NODE_SLOW: Usual(
        what="reads answer late; what is sent arrives blocks later, without an answer",
        seconds=3,
        blocks=2,
    ),
    FaultKind.NODE_UNAVAILABLE: Usual(what="the node answers UNAVAILABLE to every call"),
    FaultKind.NODE_SYNCING: Usual(
        what="the node says that it catches up, and stays at the height that it has"
    ),
    FaultKind.NODE_BEHIND: Usual(what="the node shows an older height than the chain's", blocks=15),
    FaultKind.NODE_RESTARTED: Usual(
        what="the node answers orders with clob 47, then puts triggered stops on its book again"
    ),
    FaultKind.BROADCAST_LOST: Usual(what="a transaction never arrives, and nobody says so"),
    FaultKind.ANSWER_LOST: Usual(what="a transaction arrives; its answer does not"),
    FaultKind.ACCEPTED_LOST: Usual(what="a transaction is answered code 0 and never in a block"),
    FaultKind.EXECUTION_LATE: Usual(
        what="orders and cancels run blocks after their code 0, never after their good-til-block",
        blocks=3,
    ),
    FaultKind.DELIVERED_TWICE: Usual(
        what="a transaction arrives twice; the answer is the second one's"
    ),
    FaultKind.SEQUENCE_MISMATCH: Usual(
        what="somebody else used the float wallet's sequence a moment ago"
    ),
    FaultKind.KEY_REVOKED: Usual(what="the trading key's authenticator is gone"),
    FaultKind.SMART_ACCOUNTS_OFF: Usual(what="governance switched permissioned keys off"),
    FaultKind.INDEXER_STALE: Usual(what="all advice is some blocks old", blocks=30),
    FaultKind.INDEXER_TORN: Usual(
        what="the indexer shows older positions under the newest height", blocks=5
    ),
    FaultKind.INDEXER_SILENT: Usual(what="the websocket says nothing more; books stand still"),
    FaultKind.INDEXER_GAP: Usual(
        what="fills, transfers and orders of these blocks are never shown"
    ),
    FaultKind.INDEXER_REORDERED: Usual(what="records come in the wrong order"),
    FaultKind.INDEXER_CRASH: Usual(what="the indexer is down: no advice at all"),
    FaultKind.INDEXER_RATE_LIMITED: Usual(what="REST answers 429; the websocket goes on"),
    FaultKind.INDEXER_BLOCKED: Usual(
        what="the indexer refuses to speak of any account: 403, for compliance or geography"
    ),
    FaultKind.WITHDRAWAL_LATE: Usual(
        what="the owner takes money out, and the indexer shows it late",
        amount=Decimal("0.05"),
        blocks=60,
    ),
    FaultKind.ORACLE_FROZEN: Usual(what="the oracle keeps its price while the book moves"),
    FaultKind.ORACLE_LAGS: Usual(what="the oracle follows the path late", blocks=30),
    FaultKind.ORACLE_JUMP: Usual(
        what="the oracle is far off for one block, and back", amount=Decimal("-0.10")
    ),
    FaultKind.ORACLE_WRONG: Usual(
        what="the oracle is off by a fraction; the book is right", amount=Decimal("-0.10")
    ),
    FaultKind.BOOK_PREMIUM: Usual(
        what="the book stands above (below) the path; the oracle follows the path",
        amount=Decimal("0.01"),
    ),
    FaultKind.BOOK_EMPTY: Usual(what="the house quotes nothing"),
    FaultKind.BOOK_ONE_SIDED: Usual(what="the house sells and does not buy"),
    FaultKind.BOOK_CROSSED: Usual(
        what="the shown best bid stands above the best ask", amount=Decimal("0.002")
    ),
    FaultKind.FILLS_PARTIAL: Usual(
        what="a fraction of the depth is left, so orders fill in part", amount=Decimal("0.0005")
    ),
    FaultKind.MARKET_SETTLED: Usual(
        what="a market goes to final settlement for good: no orders, positions closed at the oracle"
    ),
    FaultKind.GATE_UP: Usual(what="the transfer gate is up: no deposits, no withdrawals"),
    FaultKind.CHAIN_HALT: Usual(
        what="no block for hours; the first one after it has the prices of before", seconds=7_200
    ),
    FaultKind.CLOCK_SKEW: Usual(what="the agent's clock is off", seconds=5),
    FaultKind.LIQUIDATION: Usual(
        what="money leaves the account until it stands below maintenance", amount=Decimal("0.95")
    ),
    FaultKind.DELEVERAGING: Usual(
        what="a share of the largest position is closed from outside", amount=Decimal("0.5")
    ),
    FaultKind.SECOND_TRADER: Usual(
        what="the owner adds to the largest position by hand", amount=Decimal("0.2")
    ),
}
