"""What a block did: one value per thing that a feed or an audit wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from seawall.account import Side
from seawall.simulator.messages import OrderId, PlaceOrder, SubaccountId
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks


class Liquidity(StrEnum):
    """Which side of a match an account was on."""

    TAKER = "TAKER"
    MAKER = "MAKER"


class FillKind(StrEnum):
    """Kind of a fill, in the indexer's words."""

    LIMIT = "LIMIT"
    LIQUIDATED = "LIQUIDATED"  # the account's own position was liquidated
    LIQUIDATION = "LIQUIDATION"  # the account made the liquidation's other side
    DELEVERAGED = "DELEVERAGED"
    OFFSETTING = "OFFSETTING"  # the account made the deleveraging's other side
    TWAP_SUBORDER = "TWAP_SUBORDER"


class OrderStatus(StrEnum):
    """State of an order, in the indexer's words."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    UNTRIGGERED = "UNTRIGGERED"


class Reason(StrEnum):
    """Why an order is no longer there, in the indexer's words."""

    NONE = ""
    USER_CANCELED = "USER_CANCELED"
    EXPIRED = "EXPIRED"
    UNDERCOLLATERALIZED = "UNDERCOLLATERALIZED"
    IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    REDUCE_ONLY_RESIZE = "REDUCE_ONLY_RESIZE"
    INVALID_REDUCE_ONLY = "INVALID_REDUCE_ONLY"
    INVALID_SELF_TRADE = "INVALID_SELF_TRADE"
    FULLY_FILLED = "FULLY_FILLED"
    REPLACED = "REPLACED"
    POST_ONLY_WOULD_CROSS_MAKER_ORDER = "POST_ONLY_WOULD_CROSS_MAKER_ORDER"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS = "VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS"
    FINAL_SETTLEMENT = "FINAL_SETTLEMENT"
    PERMISSIONED_KEY_EXPIRED = "PERMISSIONED_KEY_EXPIRED"
    INDEXER_EXPIRED = "INDEXER_EXPIRED"  # no block ever told of it


@dataclass(frozen=True, slots=True, kw_only=True)
class FillEvent:
    """One account's side of one match; the house has no event of its own.

    `fee` > 0 is paid; for a liquidated side it is what went to the insurance fund, < 0 where the
    fund paid.
    """

    subaccount: SubaccountId
    ticker: str
    side: Side
    quantums: BaseQuantums
    subticks: Subticks
    quote: QuoteQuantums
    fee: QuoteQuantums
    liquidity: Liquidity
    kind: FillKind
    order_id: OrderId | None  # None for liquidations and deleveraging
    client_metadata: int
    position_before: BaseQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """An order was placed, filled or removed; `filled` is its total so far."""

    order: PlaceOrder
    status: OrderStatus
    filled: BaseQuantums
    reason: Reason = Reason.NONE


class TransferKind(StrEnum):
    """Which way the money went."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER = "TRANSFER"
    SEND = "SEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEvent:
    """Money that moved, in quote quantums; a wallet is an address, a margin account an id."""

    kind: TransferKind
    sender: SubaccountId | str
    recipient: SubaccountId | str
    amount: QuoteQuantums
    tx: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUpdate:
    """A new oracle price, at the market's oracle exponent."""

    ticker: str
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingUpdate:
    """A funding tick: the rate in ppm per 8 hours (an eighth is paid) and the index after it."""

    ticker: str
    rate_8h_ppm: int
    funding_index: int

    @property
    def hourly(self) -> Decimal:
        """What the hour came to, as a fraction, > 0: longs paid."""
        return Decimal(self.rate_8h_ppm).scaleb(-6) / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationEvent:
    """One attempt on one position; `filled` may be zero.

    `to_insurance` > 0 is the fee the account paid, < 0 what the fund paid for it.
    """

    subaccount: SubaccountId
    ticker: str
    side: Side
    asked: BaseQuantums
    filled: BaseQuantums
    quote: QuoteQuantums
    fillable_subticks: Subticks
    to_insurance: QuoteQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleveragingEvent:
    """A position offset at its bankruptcy price against the house."""

    subaccount: SubaccountId
    ticker: str
    quantums: BaseQuantums  # signed change of the position
    quote: QuoteQuantums  # signed change of the account's USDC


@dataclass(frozen=True, slots=True, kw_only=True)
class TxResult:
    """What became of a transaction in its block; `tx` is the name given to `Chain.check`."""

    tx: str
    code: int = 0
    codespace: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: where it stands in the chain and everything that happened in it."""

    height: int
    time: Millis
    hash: str
    fills: tuple[FillEvent, ...] = ()
    orders: tuple[OrderEvent, ...] = ()
    transfers: tuple[TransferEvent, ...] = ()
    prices: tuple[PriceUpdate, ...] = ()
    funding: tuple[FundingUpdate, ...] = ()
    liquidations: tuple[LiquidationEvent, ...] = ()
    deleveragings: tuple[DeleveragingEvent, ...] = ()
    results: tuple[TxResult, ...] = ()  # transfers and stateful orders only
