"""Queries of the order books: clob pairs, limits, liquidation parameters, stateful orders."""

from __future__ import annotations

from collections.abc import Mapping

from v4_proto.dydxprotocol.clob import block_rate_limit_config_pb2 as rate_limits
from v4_proto.dydxprotocol.clob import equity_tier_limit_config_pb2 as equity_tiers
from v4_proto.dydxprotocol.clob import liquidations_config_pb2 as liquidations
from v4_proto.dydxprotocol.clob import query_pb2 as clob
from v4_proto.dydxprotocol.clob.clob_pair_pb2 import ClobPair, PerpetualClobMetadata
from v4_proto.dydxprotocol.clob.order_pb2 import Order as WireOrder
from v4_proto.dydxprotocol.clob.order_pb2 import OrderId as WireOrderId
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccountId

from seawall.account import MarketStatus, Side
from seawall.simulator.envelope import order_id
from seawall.simulator.leverage_wire import entries_bytes
from seawall.simulator.messages import PlaceOrder
from seawall.simulator.serve.queries.answer import Answerer, Constants, NotFound, Query, page
from seawall.simulator.state import MarketState, State
from seawall.units import encode_serializable_int

STATUSES: Mapping[MarketStatus, int] = {
    MarketStatus.ACTIVE: 1,
    MarketStatus.PAUSED: 2,
    MarketStatus.CANCEL_ONLY: 3,
    MarketStatus.POST_ONLY: 4,
    MarketStatus.INITIALIZING: 5,
    MarketStatus.FINAL_SETTLEMENT: 6,
}


def _clob_pair_id(market: MarketState) -> int:
    return market.spec.clob_pair_id


def _by_clob_pair(state: State) -> list[MarketState]:
    return sorted(state.markets.values(), key=_clob_pair_id)


def _wire_clob_pair(market: MarketState) -> ClobPair:
    spec = market.spec
    return ClobPair(
        id=spec.clob_pair_id,
        perpetual_clob_metadata=PerpetualClobMetadata(perpetual_id=spec.perpetual_id),
        step_base_quantums=spec.step_base_quantums,
        subticks_per_tick=spec.subticks_per_tick,
        quantum_conversion_exponent=spec.quantum_conversion_exponent,
        status=STATUSES[spec.status],
    )


def _clob_pair(
    _: Constants, state: State, request: clob.QueryGetClobPairRequest
) -> clob.QueryClobPairResponse:
    market = next((m for m in state.markets.values() if _clob_pair_id(m) == request.id), None)
    if market is None:
        raise NotFound("not found")
    return clob.QueryClobPairResponse(clob_pair=_wire_clob_pair(market))


def _clob_pair_all(
    _: Constants, state: State, request: clob.QueryAllClobPairRequest
) -> clob.QueryClobPairAllResponse:
    markets, pagination = page(
        sorted(state.markets.values(), key=_clob_pair_id), request.pagination
    )
    return clob.QueryClobPairAllResponse(
        clob_pair=[_wire_clob_pair(market) for market in markets], pagination=pagination
    )


def _equity_tier_limits(
    constants: Constants, _: State, __: clob.QueryEquityTierLimitConfigurationRequest
) -> clob.QueryEquityTierLimitConfigurationResponse:
    tiers = [
        equity_tiers.EquityTierLimit(
            usd_tnc_required=encode_serializable_int(tier.least), limit=tier.most
        )
        for tier in constants.settings.limits.equity
    ]
    return clob.QueryEquityTierLimitConfigurationResponse(
        equity_tier_limit_config=equity_tiers.EquityTierLimitConfiguration(
            stateful_order_equity_tiers=tiers
        )
    )


def _block_rate_limits(
    constants: Constants, _: State, __: clob.QueryBlockRateLimitConfigurationRequest
) -> clob.QueryBlockRateLimitConfigurationResponse:
    limits = constants.settings.limits
    config = rate_limits.BlockRateLimitConfiguration(
        max_short_term_orders_and_cancels_per_n_blocks=[
            rate_limits.MaxPerNBlocksRateLimit(num_blocks=one.blocks, limit=one.most)
            for one in limits.short_term
        ],
        max_stateful_orders_per_n_blocks=[
            rate_limits.MaxPerNBlocksRateLimit(num_blocks=one.blocks, limit=one.most)
            for one in limits.stateful
        ],
    )
    # Field 5, max_leverage_updates_per_n_blocks, is newer than the package.
    leverage = [(one.blocks, one.most) for one in limits.leverage]
    config.MergeFromString(entries_bytes(5, leverage))
    return clob.QueryBlockRateLimitConfigurationResponse(block_rate_limit_config=config)


def _liquidations(
    constants: Constants, _: State, __: clob.QueryLiquidationsConfigurationRequest
) -> clob.QueryLiquidationsConfigurationResponse:
    ours = constants.settings.liquidation
    config = liquidations.LiquidationsConfig(
        max_liquidation_fee_ppm=ours.max_fee_ppm,
        position_block_limits=liquidations.PositionBlockLimits(
            min_position_notional_liquidated=ours.min_position_notional,
            max_position_portion_liquidated_ppm=ours.max_position_portion_ppm,
        ),
        subaccount_block_limits=liquidations.SubaccountBlockLimits(
            max_notional_liquidated=ours.subaccount_max_notional,
            max_quantums_insurance_lost=ours.subaccount_max_insurance_lost,
        ),
        fillable_price_config=liquidations.FillablePriceConfig(
            bankruptcy_adjustment_ppm=ours.bankruptcy_adjustment_ppm,
            spread_to_maintenance_margin_ratio_ppm=ours.spread_to_maintenance_ppm,
        ),
    )
    return clob.QueryLiquidationsConfigurationResponse(liquidations_config=config)


def _wire_order(order: PlaceOrder) -> WireOrder:
    named = order.order_id
    return WireOrder(
        order_id=WireOrderId(
            subaccount_id=WireSubaccountId(
                owner=named.subaccount.owner, number=named.subaccount.number
            ),
            client_id=named.client_id,
            order_flags=named.order_flags,
            clob_pair_id=named.clob_pair_id,
        ),
        side=1 if order.side is Side.BUY else 2,
        quantums=order.quantums,
        subticks=order.subticks,
        good_til_block_time=order.good_til_block_time,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        client_metadata=order.client_metadata,
        condition_type=order.condition_type,
        conditional_order_trigger_subticks=order.trigger_subticks,
    )


def _stateful_order(
    _: Constants, state: State, request: clob.QueryStatefulOrderRequest
) -> clob.QueryStatefulOrderResponse:
    wanted = order_id(request.order_id)
    for resting in state.orders.get(wanted.subaccount, ()):
        if resting.order.order_id == wanted and not wanted.is_short_term:
            response = clob.QueryStatefulOrderResponse(
                fill_amount=resting.filled, triggered=resting.is_triggered
            )
            response.order_placement.order.CopyFrom(_wire_order(resting.order))
            response.order_placement.placement_index.block_height = resting.placed_height
            return response
    raise NotFound("not found")


QUERIES: tuple[Answerer, ...] = (
    Query("/dydxprotocol.clob.Query/ClobPair", clob.QueryGetClobPairRequest, _clob_pair),
    Query("/dydxprotocol.clob.Query/ClobPairAll", clob.QueryAllClobPairRequest, _clob_pair_all),
    Query(
        "/dydxprotocol.clob.Query/EquityTierLimitConfiguration",
        clob.QueryEquityTierLimitConfigurationRequest,
        _equity_tier_limits,
    ),
    Query(
        "/dydxprotocol.clob.Query/BlockRateLimitConfiguration",
        clob.QueryBlockRateLimitConfigurationRequest,
        _block_rate_limits,
    ),
    Query(
        "/dydxprotocol.clob.Query/LiquidationsConfiguration",
        clob.QueryLiquidationsConfigurationRequest,
        _liquidations,
    ),
    Query(
        "/dydxprotocol.clob.Query/StatefulOrder", clob.QueryStatefulOrderRequest, _stateful_order
    ),
)
