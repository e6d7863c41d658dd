"""State from one node at one height: subaccounts, their markets, the float wallet, the gate.

All reads of a state run together and are pinned to the height that the node named first; an answer
of another height tears the state and is an error, never a mixture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from v4_proto.cosmos.bank.v1beta1.query_pb2 import QueryBalanceRequest, QueryBalanceResponse
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import (
    GetNodeInfoRequest,
    GetNodeInfoResponse,
    GetSyncingRequest,
    GetSyncingResponse,
)
from v4_proto.dydxprotocol.blocktime.query_pb2 import (
    QueryPreviousBlockInfoRequest,
    QueryPreviousBlockInfoResponse,
)
from v4_proto.dydxprotocol.perpetuals.perpetual_pb2 import Perpetual
from v4_proto.dydxprotocol.perpetuals.query_pb2 import (
    QueryAllPerpetualsRequest,
    QueryPerpetualRequest,
    QueryPerpetualResponse,
)
from v4_proto.dydxprotocol.prices.market_price_pb2 import MarketPrice
from v4_proto.dydxprotocol.prices.query_pb2 import (
    QueryAllMarketPricesRequest,
    QueryAllMarketPricesResponse,
    QueryMarketPriceRequest,
    QueryMarketPriceResponse,
)
from v4_proto.dydxprotocol.subaccounts.query_pb2 import (
    QueryGetSubaccountRequest,
    QueryGetWithdrawalAndTransfersBlockedInfoRequest,
    QueryGetWithdrawalAndTransfersBlockedInfoResponse,
    QuerySubaccountResponse,
)

from seawall.account import FloatWallet, Market, MarketType, Subaccount
from seawall.errors import MalformedAnswer, TornState, VenueError
from seawall.margin import usdc_of
from seawall.units import Millis, QuoteQuantums
from seawall.venue.dydx.joined import (
    Held,
    integer,
    listing_of,
    market_from,
    subaccount_from,
)
from seawall.venue.dydx.key_state import KeyState, Permit
from seawall.venue.dydx.parameters import (
    ALL_PERPETUALS,
    Listing,
    Parameters,
    read_account,
    read_parameters,
)
from seawall.venue.dydx.rpc import Method, Wire

USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
FEW_LISTINGS = 50  # so many fit one page, and two reads fetch them all

BLOCK = Method("/dydxprotocol.blocktime.Query/PreviousBlockInfo", QueryPreviousBlockInfoResponse)
SUBACCOUNT = Method("/dydxprotocol.subaccounts.Query/Subaccount", QuerySubaccountResponse)
GATE = Method(
    "/dydxprotocol.subaccounts.Query/GetWithdrawalAndTransfersBlockedInfo",
    QueryGetWithdrawalAndTransfersBlockedInfoResponse,
)
PERPETUAL = Method("/dydxprotocol.perpetuals.Query/Perpetual", QueryPerpetualResponse)
PRICE = Method("/dydxprotocol.prices.Query/MarketPrice", QueryMarketPriceResponse)
ALL_PRICES = Method("/dydxprotocol.prices.Query/AllMarketPrices", QueryAllMarketPricesResponse)
BALANCE = Method("/cosmos.bank.v1beta1.Query/Balance", QueryBalanceResponse)
NODE_INFO = Method("/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo", GetNodeInfoResponse)
SYNCING = Method("/cosmos.base.tendermint.v1beta1.Service/GetSyncing", GetSyncingResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A committed block: its height and its time."""

    height: int
    at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a state is to hold; `perpetuals` are read even where nothing is held in them."""

    owner: str
    numbers: tuple[int, ...]
    perpetuals: frozenset[int]
    float_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """State at one height, complete."""

    block: Block
    subaccounts: tuple[Subaccount, ...]
    markets: Mapping[str, Market]
    float_wallet: FloatWallet | None
    blocked_until: Mapping[int, int]  # by subaccount number, the height at which the gate opens


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """Who a node says it is."""

    chain_id: str
    version: str


class Node:
    """Reads of one node; all raise VenueError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wire = Wire(url)

    async def info(self) -> NodeInfo:
        """The node's chain id and software version."""
        answer = await self.wire.ask(NODE_INFO, GetNodeInfoRequest())
        return NodeInfo(
            chain_id=answer.message.default_node_info.network,
            version=answer.message.application_version.version,
        )

    async def is_syncing(self) -> bool:
        """Whether the node says that it is still catching up; one that does not say is not."""
        try:
            answer = await self.wire.ask(SYNCING, GetSyncingRequest())
        except VenueError:
            return False
        return bool(answer.message.syncing)

    async def block(self) -> Block:
        """The newest committed block, named by its content and by the answer's height alike."""
        answer = await self.wire.ask(BLOCK, QueryPreviousBlockInfoRequest())
        said = answer.message.info
        if answer.height != said.height:
            raise TornState(
                f"{self.url}: block {said.height} was told at height {answer.height}, "
                "so no state can be pinned to it"
            )
        stamp = said.timestamp
        at = Millis(stamp.seconds * 1_000 + stamp.nanos // 1_000_000)
        return Block(height=said.height, at=at)

    async def parameters(
        self, *, owner: str, numbers: Iterable[int], key: KeyState | Permit, height: int
    ) -> Parameters:
        """The slow parameters at a height."""
        return await read_parameters(
            self.wire, owner=owner, numbers=numbers, key=key, height=height
        )

    async def state(self, block: Block, wanted: Wanted, parameters: Parameters) -> State:
        """State at the block's height.

        Raises MissingParameter for a held market that the parameters do not list.
        """
        height = block.height
        subaccounts, markets, wallet, gates = await asyncio.gather(
            asyncio.gather(*(self._held(wanted.owner, n, height) for n in wanted.numbers)),
            self._markets(wanted.perpetuals, parameters, height),
            self._float_wallet(wanted.float_address, height),
            self._gates(wanted, parameters, height),
        )
        held = {p.perpetual_id for _, _, positions in subaccounts for p in positions}
        if unread := held - wanted.perpetuals:
            markets |= await self._markets(frozenset(unread), parameters, height)
        return State(
            block=block,
            subaccounts=tuple(
                subaccount_from(number, usdc, positions, parameters)
                for number, usdc, positions in subaccounts
            ),
            markets=markets,
            float_wallet=wallet,
            blocked_until={
                number: gates[pool]
                for number, _, positions in subaccounts
                if (pool := _pool(positions, parameters)) in gates
            },
        )

    async def is_unknown(self, owner: str, number: int, height: int) -> bool:
        """Whether the chain holds nothing for the subaccount: it answers with an empty default.

        A subaccount once used and emptied looks the same: ask the indexer too.
        """
        _, usdc, positions = await self._held(owner, number, height)
        return usdc == 0 and not positions

    async def close(self) -> None:
        """Close the channel."""
        await self.wire.close()

    async def _held(
        self, owner: str, number: int, height: int
    ) -> tuple[int, QuoteQuantums, tuple[Held, ...]]:
        request = QueryGetSubaccountRequest(owner=owner, number=number)
        subaccount = (await self.wire.read(SUBACCOUNT, request, height)).subaccount
        usdc = usdc_of(
            (asset.asset_id, integer(asset.quantums)) for asset in subaccount.asset_positions
        )
        positions = tuple(
            Held(
                perpetual_id=position.perpetual_id,
                quantums=integer(position.quantums),
                funding_index=integer(position.funding_index),
                quote_balance=integer(position.quote_balance),
            )
            for position in subaccount.perpetual_positions
        )
        return number, usdc, positions

    async def _markets(
        self, perpetuals: frozenset[int], parameters: Parameters, height: int
    ) -> dict[str, Market]:
        listings = {number: listing_of(number, parameters) for number in perpetuals}
        if not listings:
            return {}
        if len(parameters.listings) <= FEW_LISTINGS:
            terms, prices = await asyncio.gather(self._all_terms(height), self._all_prices(height))
        else:
            terms, prices = await self._chosen(listings, height)
        return {
            listing.grid.ticker: market_from(listing, terms, prices, parameters)
            for listing in listings.values()
        }

    async def _all_terms(self, height: int) -> Mapping[int, Perpetual]:
        terms = await self.wire.pages(
            ALL_PERPETUALS,
            lambda page: QueryAllPerpetualsRequest(pagination=page),
            lambda answer: answer.perpetual,
            height,
        )
        return {perpetual.params.id: perpetual for perpetual in terms}

    async def _all_prices(self, height: int) -> Mapping[int, MarketPrice]:
        prices = await self.wire.pages(
            ALL_PRICES,
            lambda page: QueryAllMarketPricesRequest(pagination=page),
            lambda answer: answer.market_prices,
            height,
        )
        return {price.id: price for price in prices}

    async def _chosen(
        self, listings: Mapping[int, Listing], height: int
    ) -> tuple[Mapping[int, Perpetual], Mapping[int, MarketPrice]]:
        terms, prices = await asyncio.gather(
            asyncio.gather(
                *(
                    self.wire.read(PERPETUAL, QueryPerpetualRequest(id=number), height)
                    for number in listings
                )
            ),
            asyncio.gather(
                *(
                    self.wire.read(
                        PRICE, QueryMarketPriceRequest(id=listing.oracle_market_id), height
                    )
                    for listing in listings.values()
                )
            ),
        )
        return (
            {answer.perpetual.params.id: answer.perpetual for answer in terms},
            {answer.market_price.id: answer.market_price for answer in prices},
        )

    async def _float_wallet(self, address: str | None, height: int) -> FloatWallet | None:
        return None if address is None else await self.wallet(address, height)

    async def wallet(self, address: str, height: int) -> FloatWallet:
        """The USDC, account number and sequence of an address at a height."""
        account, balance = await asyncio.gather(
            read_account(self.wire, address, height),
            self.wire.read(BALANCE, QueryBalanceRequest(address=address, denom=USDC_DENOM), height),
        )
        amount = balance.balance.amount or "0"
        if not amount.isdecimal():
            raise MalformedAnswer(f"{self.url}: balance of {address} is {amount!r}")
        return FloatWallet(
            address=address,
            balance=QuoteQuantums(int(amount)),
            sequence=account.sequence,
            account_number=account.number,
        )

    async def _gates(
        self, wanted: Wanted, parameters: Parameters, height: int
    ) -> Mapping[int | None, int]:
        # Only a top-up asks for the gate, and only the float wallet tops up. Cross markets share
        # one collateral pool (None here), each isolated market has its own.
        if wanted.float_address is None:
            return {}
        pools: dict[int | None, int] = {}
        for number, listing in sorted(parameters.listings.items()):
            if listing.market_type is MarketType.CROSS:
                pools.setdefault(None, number)
            elif number in wanted.perpetuals:
                pools[number] = number
        answers = await asyncio.gather(
            *(
                self.wire.read(
                    GATE,
                    QueryGetWithdrawalAndTransfersBlockedInfoRequest(perpetual_id=number),
                    height,
                )
                for number in pools.values()
            )
        )
        opens = (answer.withdrawals_and_transfers_unblocked_at_block for answer in answers)
        return {pool: at for pool, at in zip(pools, opens, strict=True) if at > height}


def _pool(positions: Iterable[Held], parameters: Parameters) -> int | None:
    for position in positions:
        listing = parameters.listings.get(position.perpetual_id)
        if listing is not None and listing.market_type is MarketType.ISOLATED:
            return position.perpetual_id
    return None
