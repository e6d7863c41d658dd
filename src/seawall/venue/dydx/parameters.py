"""What the node says that changes slowly: tiers, clob pairs, fee, custom leverage, trading key.

Read together at one height, and used for at most five minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import grpc
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.auth.v1beta1.query_pb2 import QueryAccountRequest, QueryAccountResponse
from v4_proto.dydxprotocol.clob.query_pb2 import (
    QueryAllClobPairRequest,
    QueryClobPairAllResponse,
    QueryEquityTierLimitConfigurationRequest,
    QueryEquityTierLimitConfigurationResponse,
)
from v4_proto.dydxprotocol.feetiers.query_pb2 import (
    QueryUserFeeTierRequest,
    QueryUserFeeTierResponse,
)
from v4_proto.dydxprotocol.perpetuals.perpetual_pb2 import PerpetualMarketType
from v4_proto.dydxprotocol.perpetuals.query_pb2 import (
    QueryAllLiquidityTiersRequest,
    QueryAllLiquidityTiersResponse,
    QueryAllPerpetualsRequest,
    QueryAllPerpetualsResponse,
    QueryParamsRequest,
    QueryParamsResponse,
)

from seawall import units
from seawall.account import EQUITY_TIERS, EquityTier, MarketStatus, MarketType, Missing, Tier
from seawall.errors import MalformedAnswer, VenueError, VenueUnreachable
from seawall.units import Ppm, QuoteQuantums
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.key_state import KeyState, Permit, read_key_state
from seawall.venue.dydx.leverage import read_leverage
from seawall.venue.dydx.rpc import Method, Wire, status_of

ACCOUNT = Method("/cosmos.auth.v1beta1.Query/Account", QueryAccountResponse)
ALL_CLOB_PAIRS = Method("/dydxprotocol.clob.Query/ClobPairAll", QueryClobPairAllResponse)
ALL_PERPETUALS = Method("/dydxprotocol.perpetuals.Query/AllPerpetuals", QueryAllPerpetualsResponse)
ALL_TIERS = Method(
    "/dydxprotocol.perpetuals.Query/AllLiquidityTiers", QueryAllLiquidityTiersResponse
)
PERPETUALS_PARAMS = Method("/dydxprotocol.perpetuals.Query/Params", QueryParamsResponse)
EQUITY_LIMITS = Method(
    "/dydxprotocol.clob.Query/EquityTierLimitConfiguration",
    QueryEquityTierLimitConfigurationResponse,
)
USER_FEE_TIER = Method("/dydxprotocol.feetiers.Query/UserFeeTier", QueryUserFeeTierResponse)

STATUS_PREFIX = "STATUS_"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A market as it is listed: names, resolutions and order granularity."""

    grid: Grid
    oracle_market_id: int
    step_base_quantums: int
    subticks_per_tick: int
    status: MarketStatus
    market_type: MarketType


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Number and committed sequence of an address; both zero where it was never funded."""

    number: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The slow parameters of one height."""

    listings: Mapping[int, Listing]  # by perpetual id
    tiers: Mapping[int, Tier]  # by tier id
    taker_fee_ppm: Ppm
    funding_clamp_factor_ppm: Ppm
    owner_account: Account
    custom_imf_ppm: Mapping[int, Mapping[int, Ppm] | Missing]  # by subaccount, then clob pair
    key: KeyState
    equity_tiers: tuple[EquityTier, ...] = EQUITY_TIERS

    def custom_by_ticker(self, number: int) -> Mapping[str, Ppm] | Missing:
        """Custom initial margin fractions of a subaccount by ticker, or why they are not known."""
        by_clob_pair = self.custom_imf_ppm.get(number, Missing(reason="custom leverage: not read"))
        if isinstance(by_clob_pair, Missing):
            return by_clob_pair
        grids = (listing.grid for listing in self.listings.values())
        return {
            grid.ticker: by_clob_pair[grid.clob_pair_id]
            for grid in grids
            if grid.clob_pair_id in by_clob_pair
        }

    def perpetual_of(self, ticker: str) -> int | None:
        """The perpetual's id; None where the chain lists no such market."""
        for perpetual_id, listing in self.listings.items():
            if listing.grid.ticker == ticker:
                return perpetual_id
        return None


async def read_parameters(
    wire: Wire, *, owner: str, numbers: Iterable[int], key: KeyState | Permit, height: int
) -> Parameters:
    """All slow parameters at one height; `key` is whose permission to read, or what needs none.

    Raises VenueError; custom leverage and key reach may be Missing instead.
    """
    wanted = tuple(numbers)
    (listings, tiers, perpetuals, fee, account, state, equity, *leverages) = await asyncio.gather(
        read_listings(wire, height),
        _tiers(wire, height),
        wire.read(PERPETUALS_PARAMS, QueryParamsRequest(), height),
        wire.read(USER_FEE_TIER, QueryUserFeeTierRequest(user=owner), height),
        read_account(wire, owner, height),
        _key_state(wire, key, height),
        _equity_tiers(wire, height),
        *(read_leverage(wire, owner, number, height) for number in wanted),
    )
    return Parameters(
        listings=listings,
        tiers=tiers,
        taker_fee_ppm=Ppm(fee.tier.taker_fee_ppm),
        funding_clamp_factor_ppm=Ppm(perpetuals.params.funding_rate_clamp_factor_ppm),
        owner_account=account,
        custom_imf_ppm=dict(zip(wanted, leverages, strict=True)),
        key=state,
        equity_tiers=equity,
    )


async def read_account(wire: Wire, address: str, height: int) -> Account:
    """Account number and committed sequence; an address never funded has neither."""
    try:
        answer = await wire.read(ACCOUNT, QueryAccountRequest(address=address), height)
    except VenueUnreachable as error:
        if status_of(error) is grpc.StatusCode.NOT_FOUND:
            return Account(number=0, sequence=0)
        raise
    base = BaseAccount()
    if not answer.account.Unpack(base):
        raise MalformedAnswer(f"{address} is a {answer.account.type_url}, a BaseAccount expected")
    return Account(number=base.account_number, sequence=base.sequence)


async def read_listings(wire: Wire, height: int) -> Mapping[int, Listing]:
    """Every market with a book, by perpetual id; raises VenueError."""
    perpetuals, clob_pairs = await asyncio.gather(
        wire.pages(
            ALL_PERPETUALS,
            lambda page: QueryAllPerpetualsRequest(pagination=page),
            lambda answer: answer.perpetual,
            height,
        ),
        wire.pages(
            ALL_CLOB_PAIRS,
            lambda page: QueryAllClobPairRequest(pagination=page),
            lambda answer: answer.clob_pair,
            height,
        ),
    )
    pairs = {
        pair.perpetual_clob_metadata.perpetual_id: pair
        for pair in clob_pairs
        if pair.HasField("perpetual_clob_metadata")
    }
    isolated = PerpetualMarketType.PERPETUAL_MARKET_TYPE_ISOLATED
    found: dict[int, Listing] = {}
    for perpetual in perpetuals:
        pair = pairs.get(perpetual.params.id)
        if pair is None:
            continue  # a market without a book can be neither opened nor closed yet
        name = type(pair).Status.Name(pair.status).removeprefix(STATUS_PREFIX)
        found[perpetual.params.id] = Listing(
            grid=Grid(
                ticker=perpetual.params.ticker,
                perpetual_id=perpetual.params.id,
                clob_pair_id=pair.id,
                atomic_resolution=perpetual.params.atomic_resolution,
                quantum_conversion_exponent=pair.quantum_conversion_exponent,
            ),
            oracle_market_id=perpetual.params.market_id,
            step_base_quantums=pair.step_base_quantums,
            subticks_per_tick=pair.subticks_per_tick,
            # A status unknown to us must not be traded on.
            status=MarketStatus(name) if name in MarketStatus.__members__ else MarketStatus.PAUSED,
            market_type=(
                MarketType.ISOLATED
                if perpetual.params.market_type == isolated
                else MarketType.CROSS
            ),
        )
    return found


async def _tiers(wire: Wire, height: int) -> Mapping[int, Tier]:
    tiers = await wire.pages(
        ALL_TIERS,
        lambda page: QueryAllLiquidityTiersRequest(pagination=page),
        lambda answer: answer.liquidity_tiers,
        height,
    )
    return {
        tier.id: Tier(
            initial_margin_ppm=Ppm(tier.initial_margin_ppm),
            maintenance_fraction_ppm=Ppm(tier.maintenance_fraction_ppm),
            open_interest_lower_cap=QuoteQuantums(tier.open_interest_lower_cap),
            open_interest_upper_cap=QuoteQuantums(tier.open_interest_upper_cap),
        )
        for tier in tiers
    }


async def _equity_tiers(wire: Wire, height: int) -> tuple[EquityTier, ...]:
    """How many stateful orders the chain allows by equity; as it began, where it won't say."""
    try:
        request = QueryEquityTierLimitConfigurationRequest()
        answer = await wire.read(EQUITY_LIMITS, request, height)
        return tuple(
            EquityTier(
                least=QuoteQuantums(units.decode_serializable_int(tier.usd_tnc_required)),
                orders=tier.limit,
            )
            for tier in answer.equity_tier_limit_config.stateful_order_equity_tiers
        )
    except (VenueError, ValueError) as error:
        log.warning("event=equity_tiers_not_read reason=%s", error)
        return EQUITY_TIERS


async def _key_state(wire: Wire, key: KeyState | Permit, height: int) -> KeyState:
    return await read_key_state(wire, key, height) if isinstance(key, Permit) else key
