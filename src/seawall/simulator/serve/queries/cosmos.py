"""Queries of the node and its common modules: accounts, balances, blocks, fees, keys."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.bank.v1beta1 import query_pb2 as bank
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.dydxprotocol.accountplus import params_pb2 as accountplus_params
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.models_pb2 import AccountAuthenticator
from v4_proto.dydxprotocol.assets import query_pb2 as assets
from v4_proto.dydxprotocol.assets.asset_pb2 import Asset
from v4_proto.dydxprotocol.blocktime import query_pb2 as blocktime
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers
from v4_proto.dydxprotocol.feetiers.params_pb2 import PerpetualFeeParams, PerpetualFeeTier

from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.messages import USDC_ASSET
from seawall.simulator.serve.queries.answer import Answerer, Constants, NotFound, Query, page
from seawall.simulator.state import State
from seawall.units import QUOTE_RESOLUTION, Millis

Answer = TypeVar("Answer", tendermint.GetLatestBlockResponse, tendermint.GetBlockByHeightResponse)
COSMOS_SDK_VERSION = "v0.50.6"


def _timestamp(time: Millis) -> Timestamp:
    return Timestamp(seconds=time // 1_000, nanos=time % 1_000 * 1_000_000)


def _base_account(state: State, address: str) -> BaseAccount:
    wallet = state.wallets.get(address)
    if wallet is None:
        raise NotFound(f"account {address} not found")
    return BaseAccount(
        address=wallet.address, account_number=wallet.account_number, sequence=wallet.sequence
    )


def _account(
    _: Constants, state: State, request: auth.QueryAccountRequest
) -> auth.QueryAccountResponse:
    packed = AnyMessage()
    packed.Pack(_base_account(state, request.address), type_url_prefix="/")
    return auth.QueryAccountResponse(account=packed)


def _account_info(
    _: Constants, state: State, request: auth.QueryAccountInfoRequest
) -> auth.QueryAccountInfoResponse:
    return auth.QueryAccountInfoResponse(info=_base_account(state, request.address))


def _coin(state: State, address: str) -> Coin:
    wallet = state.wallets.get(address)
    return Coin(denom=USDC_DENOM, amount=str(0 if wallet is None else wallet.balance))


def _balance(
    _: Constants, state: State, request: bank.QueryBalanceRequest
) -> bank.QueryBalanceResponse:
    if request.denom != USDC_DENOM:
        return bank.QueryBalanceResponse(balance=Coin(denom=request.denom, amount="0"))
    return bank.QueryBalanceResponse(balance=_coin(state, request.address))


def _all_balances(
    _: Constants, state: State, request: bank.QueryAllBalancesRequest
) -> bank.QueryAllBalancesResponse:
    coin = _coin(state, request.address)
    held = [coin] if coin.amount != "0" else []
    coins, pagination = page(held, request.pagination)
    return bank.QueryAllBalancesResponse(balances=coins, pagination=pagination)


def _latest_block(
    constants: Constants, state: State, _: tendermint.GetLatestBlockRequest
) -> tendermint.GetLatestBlockResponse:
    return with_block(tendermint.GetLatestBlockResponse(), constants.settings.chain_id, state)


def with_block(response: Answer, chain_id: str, state: State) -> Answer:
    """An answer about a block, with the hash and the header of a state's."""
    response.block_id.hash = bytes.fromhex(state.hash)
    for header in (response.block.header, response.sdk_block.header):
        header.chain_id = chain_id
        header.height = state.height
        header.time.CopyFrom(_timestamp(state.time))
    return response


def _node_info(
    constants: Constants, _: State, __: tendermint.GetNodeInfoRequest
) -> tendermint.GetNodeInfoResponse:
    response = tendermint.GetNodeInfoResponse()
    response.default_node_info.network = constants.settings.chain_id
    response.default_node_info.moniker = "seawall-venue"
    response.default_node_info.other.tx_index = "on"
    response.application_version.name = "dydxprotocol"
    response.application_version.app_name = "dydxprotocold"
    response.application_version.version = constants.version
    response.application_version.cosmos_sdk_version = COSMOS_SDK_VERSION
    return response


def _syncing(
    _: Constants, __: State, ___: tendermint.GetSyncingRequest
) -> tendermint.GetSyncingResponse:
    return tendermint.GetSyncingResponse(syncing=False)


def _previous_block(
    _: Constants, state: State, __: blocktime.QueryPreviousBlockInfoRequest
) -> blocktime.QueryPreviousBlockInfoResponse:
    response = blocktime.QueryPreviousBlockInfoResponse()
    response.info.height = state.height
    response.info.timestamp.CopyFrom(_timestamp(state.time))
    return response


def _tier(constants: Constants) -> PerpetualFeeTier:
    fees = constants.settings.fees
    return PerpetualFeeTier(name="1", maker_fee_ppm=fees.maker_ppm, taker_fee_ppm=fees.taker_ppm)


def _user_fee_tier(
    constants: Constants, _: State, __: feetiers.QueryUserFeeTierRequest
) -> feetiers.QueryUserFeeTierResponse:
    return feetiers.QueryUserFeeTierResponse(index=0, tier=_tier(constants))


def _fee_params(
    constants: Constants, _: State, __: feetiers.QueryPerpetualFeeParamsRequest
) -> feetiers.QueryPerpetualFeeParamsResponse:
    params = PerpetualFeeParams(tiers=[_tier(constants)])
    return feetiers.QueryPerpetualFeeParamsResponse(params=params)


def _accountplus_params(
    _: Constants, state: State, __: accountplus.QueryParamsRequest
) -> accountplus.QueryParamsResponse:
    params = accountplus_params.Params(is_smart_account_active=state.is_smart_account_active)
    return accountplus.QueryParamsResponse(params=params)


def _authenticators(
    _: Constants, state: State, request: accountplus.GetAuthenticatorsRequest
) -> accountplus.GetAuthenticatorsResponse:
    kept = state.permissions.get(request.account, ())
    return accountplus.GetAuthenticatorsResponse(
        account_authenticators=[
            AccountAuthenticator(id=one.id, type=one.kind, config=one.config) for one in kept
        ]
    )


def _authenticator(
    _: Constants, state: State, request: accountplus.GetAuthenticatorRequest
) -> accountplus.GetAuthenticatorResponse:
    for one in state.permissions.get(request.account, ()):
        if one.id == request.authenticator_id:
            return accountplus.GetAuthenticatorResponse(
                account_authenticator=AccountAuthenticator(
                    id=one.id, type=one.kind, config=one.config
                )
            )
    raise NotFound(f"authenticator {request.authenticator_id} not found for {request.account}")


def _usdc() -> Asset:
    return Asset(
        id=USDC_ASSET,
        symbol="USDC",
        denom=USDC_DENOM,
        denom_exponent=QUOTE_RESOLUTION,
        atomic_resolution=QUOTE_RESOLUTION,
    )


def _asset(_: Constants, __: State, request: assets.QueryAssetRequest) -> assets.QueryAssetResponse:
    if request.id != USDC_ASSET:
        raise NotFound(f"Asset id {request.id} not found")
    return assets.QueryAssetResponse(asset=_usdc())


def _all_assets(
    _: Constants, __: State, request: assets.QueryAllAssetsRequest
) -> assets.QueryAllAssetsResponse:
    held, pagination = page([_usdc()], request.pagination)
    return assets.QueryAllAssetsResponse(asset=held, pagination=pagination)


QUERIES: tuple[Answerer, ...] = (
    Query("/cosmos.auth.v1beta1.Query/AccountInfo", auth.QueryAccountInfoRequest, _account_info),
    Query("/cosmos.auth.v1beta1.Query/Account", auth.QueryAccountRequest, _account),
    Query("/cosmos.bank.v1beta1.Query/Balance", bank.QueryBalanceRequest, _balance),
    Query("/cosmos.bank.v1beta1.Query/AllBalances", bank.QueryAllBalancesRequest, _all_balances),
    Query(
        "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock",
        tendermint.GetLatestBlockRequest,
        _latest_block,
    ),
    Query(
        "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo",
        tendermint.GetNodeInfoRequest,
        _node_info,
    ),
    Query(
        "/cosmos.base.tendermint.v1beta1.Service/GetSyncing",
        tendermint.GetSyncingRequest,
        _syncing,
    ),
    Query(
        "/dydxprotocol.blocktime.Query/PreviousBlockInfo",
        blocktime.QueryPreviousBlockInfoRequest,
        _previous_block,
    ),
    Query(
        "/dydxprotocol.feetiers.Query/UserFeeTier",
        feetiers.QueryUserFeeTierRequest,
        _user_fee_tier,
    ),
    Query(
        "/dydxprotocol.feetiers.Query/PerpetualFeeParams",
        feetiers.QueryPerpetualFeeParamsRequest,
        _fee_params,
    ),
    Query(
        "/dydxprotocol.accountplus.Query/Params",
        accountplus.QueryParamsRequest,
        _accountplus_params,
    ),
    Query(
        "/dydxprotocol.accountplus.Query/GetAuthenticator",
        accountplus.GetAuthenticatorRequest,
        _authenticator,
    ),
    Query(
        "/dydxprotocol.accountplus.Query/GetAuthenticators",
        accountplus.GetAuthenticatorsRequest,
        _authenticators,
    ),
    Query("/dydxprotocol.assets.Query/Asset", assets.QueryAssetRequest, _asset),
    Query("/dydxprotocol.assets.Query/AllAssets", assets.QueryAllAssetsRequest, _all_assets),
)
