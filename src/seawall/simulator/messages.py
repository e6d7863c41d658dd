"""What arrives at the simulated chain, decoded from transactions, in the chain's own units.

Sizes are base quantums, prices subticks, amounts quote quantums (10^-6 USDC). Fields may hold what
the chain refuses (side unspecified, unknown flags): `Chain.check` answers those with the code.
Sources: reference ORDERS.md sections 1.1, 2.3 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.account import Side

SHORT_TERM = 0
CONDITIONAL = 32
LONG_TERM = 64
TWAP = 128
TWAP_LEG = 256  # made by the chain, refused from anybody else

GOOD_TIL_TIME = 0
IMMEDIATE_OR_CANCEL = 1
POST_ONLY = 2
FILL_OR_KILL = 3

NO_CONDITION = 0
STOP_LOSS = 1
TAKE_PROFIT = 2

USDC_ASSET = 0
SUBACCOUNT_NUMBER_MAX = 128_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SubaccountId:
    """The margin account that a message names."""

    owner: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderId:
    """What makes an order the same order: one id fills at most its quantums."""

    subaccount: SubaccountId
    client_id: int
    order_flags: int
    clob_pair_id: int

    @property
    def is_short_term(self) -> bool:
        """Whether the order lives in the validators' memory only."""
        return self.order_flags == SHORT_TERM


@dataclass(frozen=True, slots=True, kw_only=True)
class TwapParameters:
    """How an order is spread over time."""

    duration_s: int
    interval_s: int
    tolerance_ppm: int

    @property
    def legs(self) -> int:
        """How many parts the order is cut into."""
        return self.duration_s // self.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderCode:
    """Who is paid on top of the fee of an order's fills, and how much of what they exchange."""

    address: str
    fee_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """MsgPlaceOrder; `side` is None where the wire says unspecified.

    A short-term order has `good_til_block`, a stateful one `good_til_block_time` (Unix seconds).
    `permission` is the id of the permissioned key that signed it; None is the owner's own key.
    """

    order_id: OrderId
    side: Side | None
    quantums: int
    subticks: int
    good_til_block: int = 0
    good_til_block_time: int = 0
    time_in_force: int = GOOD_TIL_TIME
    reduce_only: bool = False
    client_metadata: int = 0
    condition_type: int = NO_CONDITION
    trigger_subticks: int = 0
    twap: TwapParameters | None = None
    builder: BuilderCode | None = None
    router: str = ""
    permission: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """MsgCancelOrder: by block for short-term orders, by time for stateful ones."""

    order_id: OrderId
    good_til_block: int = 0
    good_til_block_time: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCancel:
    """MsgBatchCancel: short-term client ids by clob pair."""

    subaccount: SubaccountId
    cancels: tuple[tuple[int, tuple[int, ...]], ...]  # clob pair, client ids
    good_til_block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """MsgDepositToSubaccount: from a wallet to any subaccount of anyone."""

    sender: str
    recipient: SubaccountId
    quantums: int
    asset_id: int = USDC_ASSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """MsgWithdrawFromSubaccount: from a subaccount to any wallet."""

    sender: SubaccountId
    recipient: str
    quantums: int
    asset_id: int = USDC_ASSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """MsgCreateTransfer: between two subaccounts."""

    sender: SubaccountId
    recipient: SubaccountId
    amount: int
    asset_id: int = USDC_ASSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The bank's MsgSend of USDC between two wallets."""

    sender: str
    recipient: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLeverage:
    """MsgUpdateLeverage: custom initial fractions in ppm, by clob pair."""

    subaccount: SubaccountId
    entries: tuple[tuple[int, int], ...]  # clob pair, ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAuthenticator:
    """MsgAddAuthenticator: permit a key within filters."""

    sender: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAuthenticator:
    """MsgRemoveAuthenticator: take a permission back."""

    sender: str
    id: int


ClobMessage = PlaceOrder | CancelOrder | BatchCancel
TransferMessage = Deposit | Withdraw | Transfer | Send
KeyMessage = AddAuthenticator | RemoveAuthenticator
Message = ClobMessage | TransferMessage | KeyMessage | UpdateLeverage
FREE_OF_GAS = (PlaceOrder, CancelOrder, BatchCancel, UpdateLeverage)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What CheckTx answers; a code means something only together with its codespace."""

    code: int = 0
    codespace: str = ""
    log: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether the node took it; code 0 is not a fill."""
        return self.code == 0


ACCEPTED = CheckResult()


def signer_of(message: Message) -> str:
    """The address that must have signed the message."""
    match message:
        case PlaceOrder() | CancelOrder():
            return message.order_id.subaccount.owner
        case BatchCancel() | UpdateLeverage():
            return message.subaccount.owner
        case Withdraw() | Transfer():
            return message.sender.owner
        case Deposit() | Send() | AddAuthenticator() | RemoveAuthenticator():
            return message.sender


def is_short_term(message: Message) -> bool:
    """Whether the message travels without a sequence and never appears in a block by hash."""
    match message:
        case PlaceOrder() | CancelOrder():
            return message.order_id.is_short_term
        case BatchCancel():
            return True
        case _:
            return False


def short_term_ids(batch: BatchCancel) -> tuple[OrderId, ...]:
    """The order ids that a batch cancel names."""
    return tuple(
        OrderId(
            subaccount=batch.subaccount,
            client_id=client_id,
            order_flags=SHORT_TERM,
            clob_pair_id=pair,
        )
        for pair, client_ids in batch.cancels
        for client_id in client_ids
    )
