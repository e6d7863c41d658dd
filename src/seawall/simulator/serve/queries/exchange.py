"""Queries of what is held and what it is worth: subaccounts, perpetuals, prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from v4_proto.dydxprotocol.perpetuals import params_pb2 as perpetuals_params
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals
from v4_proto.dydxprotocol.perpetuals.perpetual_pb2 import (
    LiquidityTier,
    MarketPremiums,
    Perpetual,
    PerpetualParams,
    PremiumStore,
)
from v4_proto.dydxprotocol.prices import query_pb2 as prices
from v4_proto.dydxprotocol.prices.market_price_pb2 import MarketPrice
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts
from v4_proto.dydxprotocol.subaccounts.asset_position_pb2 import AssetPosition
from v4_proto.dydxprotocol.subaccounts.perpetual_position_pb2 import PerpetualPosition
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import Subaccount as WireSubaccount
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccountId

from seawall.account import MarketType
from seawall.simulator.funding import FEWEST_VOTES, FUNDING_CLAMP_PPM, PREMIUM_CLAMP_PPM
from seawall.simulator.messages import USDC_ASSET
from seawall.simulator.serve.queries.answer import Answerer, Constants, NotFound, Query, page
from seawall.simulator.state import BLOCKED_FOR_BLOCKS, Account, MarketState, State
from seawall.units import encode_serializable_int

MARKET_TYPES: Mapping[MarketType, int] = {MarketType.CROSS: 1, MarketType.ISOLATED: 2}


def _by_id(state: State, key: Callable[[MarketState], int], wanted: int) -> MarketState | None:
    return next((m for m in state.markets.values() if key(m) == wanted), None)


def _sorted(state: State, key: Callable[[MarketState], int]) -> list[MarketState]:
    return sorted(state.markets.values(), key=key)


def _perpetual_id(market: MarketState) -> int:
    return market.spec.perpetual_id


def _market_id(market: MarketState) -> int:
    return market.spec.market_id


def _wire_subaccount(account: Account) -> WireSubaccount:
    wire = WireSubaccount(
        id=WireSubaccountId(owner=account.id.owner, number=account.id.number),
        margin_enabled=True,
    )
    if account.usdc:
        quantums = encode_serializable_int(account.usdc)
        wire.asset_positions.append(AssetPosition(asset_id=USDC_ASSET, quantums=quantums))
    for held in account.held:
        wire.perpetual_positions.append(
            PerpetualPosition(
                perpetual_id=held.perpetual_id,
                quantums=encode_serializable_int(held.quantums),
                funding_index=encode_serializable_int(held.funding_index),
                quote_balance=encode_serializable_int(held.quote_balance),
            )
        )
    return wire


def _subaccount(
    _: Constants, state: State, request: subaccounts.QueryGetSubaccountRequest
) -> subaccounts.QuerySubaccountResponse:
    account = state.subaccount(request.owner, request.number)
    return subaccounts.QuerySubaccountResponse(subaccount=_wire_subaccount(account))


def _subaccount_all(
    _: Constants, state: State, request: subaccounts.QueryAllSubaccountRequest
) -> subaccounts.QuerySubaccountAllResponse:
    everyone = sorted(state.accounts.values(), key=lambda a: (a.id.owner, a.id.number))
    accounts, pagination = page(everyone, request.pagination)
    return subaccounts.QuerySubaccountAllResponse(
        subaccount=[_wire_subaccount(account) for account in accounts], pagination=pagination
    )


def _blocked_info(
    _: Constants,
    state: State,
    request: subaccounts.QueryGetWithdrawalAndTransfersBlockedInfoRequest,
) -> subaccounts.QueryGetWithdrawalAndTransfersBlockedInfoResponse:
    perpetual = request.perpetual_id
    if _by_id(state, _perpetual_id, perpetual) is None:
        raise NotFound(f"Perpetual id {perpetual} not found")
    pool = perpetual if perpetual in state.isolated else None
    seen = state.gate_seen(pool)
    return subaccounts.QueryGetWithdrawalAndTransfersBlockedInfoResponse(
        negative_tnc_subaccount_seen_at_block=state.negative_seen.get(pool, 0),
        chain_outage_seen_at_block=state.outage_seen or 0,
        withdrawals_and_transfers_unblocked_at_block=(
            max(seen) + BLOCKED_FOR_BLOCKS if seen else 0
        ),
    )


def _wire_perpetual(market: MarketState) -> Perpetual:
    spec = market.spec
    return Perpetual(
        params=PerpetualParams(
            id=spec.perpetual_id,
            ticker=spec.ticker,
            market_id=spec.market_id,
            atomic_resolution=spec.atomic_resolution,
            liquidity_tier=spec.tier.id,
            market_type=MARKET_TYPES[spec.market_type],
        ),
        funding_index=encode_serializable_int(market.funding_index),
        open_interest=encode_serializable_int(market.open_interest),
    )


def _perpetual(
    _: Constants, state: State, request: perpetuals.QueryPerpetualRequest
) -> perpetuals.QueryPerpetualResponse:
    market = _by_id(state, _perpetual_id, request.id)
    if market is None:
        raise NotFound(f"Perpetual id {request.id} not found")
    return perpetuals.QueryPerpetualResponse(perpetual=_wire_perpetual(market))


def _all_perpetuals(
    _: Constants, state: State, request: perpetuals.QueryAllPerpetualsRequest
) -> perpetuals.QueryAllPerpetualsResponse:
    markets, pagination = page(_sorted(state, _perpetual_id), request.pagination)
    return perpetuals.QueryAllPerpetualsResponse(
        perpetual=[_wire_perpetual(market) for market in markets], pagination=pagination
    )


def _liquidity_tiers(
    _: Constants, state: State, request: perpetuals.QueryAllLiquidityTiersRequest
) -> perpetuals.QueryAllLiquidityTiersResponse:
    by_id = {market.spec.tier.id: market.spec.tier for market in state.markets.values()}
    tiers, pagination = page([by_id[key] for key in sorted(by_id)], request.pagination)
    return perpetuals.QueryAllLiquidityTiersResponse(
        liquidity_tiers=[
            LiquidityTier(
                id=tier.id,
                name=tier.name,
                initial_margin_ppm=tier.initial_margin_ppm,
                maintenance_fraction_ppm=tier.maintenance_fraction_ppm,
                impact_notional=tier.impact_notional,
                open_interest_lower_cap=tier.open_interest_lower_cap,
                open_interest_upper_cap=tier.open_interest_upper_cap,
            )
            for tier in tiers
        ],
        pagination=pagination,
    )


def _perpetuals_params(
    _: Constants, __: State, ___: perpetuals.QueryParamsRequest
) -> perpetuals.QueryParamsResponse:
    params = perpetuals_params.Params(
        funding_rate_clamp_factor_ppm=FUNDING_CLAMP_PPM,
        premium_vote_clamp_factor_ppm=PREMIUM_CLAMP_PPM,
        min_num_votes_per_sample=FEWEST_VOTES,
    )
    return perpetuals.QueryParamsResponse(params=params)


def _premium_votes(
    _: Constants, state: State, __: perpetuals.QueryPremiumVotesRequest
) -> perpetuals.QueryPremiumVotesResponse:
    told = state.premiums
    return perpetuals.QueryPremiumVotesResponse(
        premium_votes=_wire_premiums(told.votes, told.blocks)
    )


def _premium_samples(
    _: Constants, state: State, __: perpetuals.QueryPremiumSamplesRequest
) -> perpetuals.QueryPremiumSamplesResponse:
    told = state.premiums
    return perpetuals.QueryPremiumSamplesResponse(
        premium_samples=_wire_premiums(told.samples, told.taken)
    )


def _wire_premiums(premiums: Mapping[int, tuple[int, ...]], count: int) -> PremiumStore:
    return PremiumStore(
        all_market_premiums=[
            MarketPremiums(perpetual_id=key, premiums=values)
            for key, values in sorted(premiums.items())
        ],
        num_premiums=count,
    )


def _wire_price(market: MarketState) -> MarketPrice:
    return MarketPrice(
        id=market.spec.market_id, exponent=market.spec.oracle_exponent, price=market.price
    )


def _market_price(
    _: Constants, state: State, request: prices.QueryMarketPriceRequest
) -> prices.QueryMarketPriceResponse:
    market = _by_id(state, _market_id, request.id)
    if market is None:
        raise NotFound("not found")
    return prices.QueryMarketPriceResponse(market_price=_wire_price(market))


def _all_market_prices(
    _: Constants, state: State, request: prices.QueryAllMarketPricesRequest
) -> prices.QueryAllMarketPricesResponse:
    markets, pagination = page(_sorted(state, _market_id), request.pagination)
    return prices.QueryAllMarketPricesResponse(
        market_prices=[_wire_price(market) for market in markets], pagination=pagination
    )


QUERIES: tuple[Answerer, ...] = (
    Query(
        "/dydxprotocol.subaccounts.Query/Subaccount",
        subaccounts.QueryGetSubaccountRequest,
        _subaccount,
    ),
    Query(
        "/dydxprotocol.subaccounts.Query/SubaccountAll",
        subaccounts.QueryAllSubaccountRequest,
        _subaccount_all,
    ),
    Query(
        "/dydxprotocol.subaccounts.Query/GetWithdrawalAndTransfersBlockedInfo",
        subaccounts.QueryGetWithdrawalAndTransfersBlockedInfoRequest,
        _blocked_info,
    ),
    Query("/dydxprotocol.perpetuals.Query/Perpetual", perpetuals.QueryPerpetualRequest, _perpetual),
    Query(
        "/dydxprotocol.perpetuals.Query/AllPerpetuals",
        perpetuals.QueryAllPerpetualsRequest,
        _all_perpetuals,
    ),
    Query(
        "/dydxprotocol.perpetuals.Query/AllLiquidityTiers",
        perpetuals.QueryAllLiquidityTiersRequest,
        _liquidity_tiers,
    ),
    Query(
        "/dydxprotocol.perpetuals.Query/Params", perpetuals.QueryParamsRequest, _perpetuals_params
    ),
    Query(
        "/dydxprotocol.perpetuals.Query/PremiumVotes",
        perpetuals.QueryPremiumVotesRequest,
        _premium_votes,
    ),
    Query(
        "/dydxprotocol.perpetuals.Query/PremiumSamples",
        perpetuals.QueryPremiumSamplesRequest,
        _premium_samples,
    ),
    Query("/dydxprotocol.prices.Query/MarketPrice", prices.QueryMarketPriceRequest, _market_price),
    Query(
        "/dydxprotocol.prices.Query/AllMarketPrices",
        prices.QueryAllMarketPricesRequest,
        _all_market_prices,
    ),
)
