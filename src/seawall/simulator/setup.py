"""Setting the stage: wallets and accounts with money and positions out of nothing.

Used before the first order; none of it is an event, so nobody sees a transfer or a fill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall.account import PARENTS, MarketType, Side
from seawall.errors import OperatorError
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.markets import MARKETS, MarketSpec
from seawall.simulator.messages import SubaccountId
from seawall.simulator.prices import Path
from seawall.units import BaseQuantums, Millis, oracle_dollars, quote_down, round_down


def chain_on(
    path: Path, settings: ChainSettings | None = None, markets: Sequence[MarketSpec] = MARKETS
) -> Chain:
    """A chain at the start of a path, with the markets that the path has prices for.

    Raises OperatorError for an isolated market that the path has no prices for.
    """
    played = [spec for spec in markets if spec.ticker in path.tickers]
    alone = frozenset() if settings is None else settings.isolated
    unknown = sorted(alone - {spec.ticker for spec in played})
    if unknown:
        raise OperatorError(
            f"isolated {', '.join(unknown)}: no such market is played; name one of "
            f"{', '.join(spec.ticker for spec in played)}"
        )
    chain = Chain(
        start=path.start,
        mids=path.prices(path.start),
        settings=settings,
        markets=[
            replace(spec, market_type=MarketType.ISOLATED) if spec.ticker in alone else spec
            for spec in played
        ],
    )
    for known in path.rates(Millis(0), path.start):
        for ticker, rate in known.hourly.items():
            chain.set_hourly_rate(ticker, rate)
    return chain


def fund(chain: Chain, owner: str, number: int, dollars: Decimal) -> None:
    """Give a subaccount USDC."""
    chain.endow(SubaccountId(owner=owner, number=number), quote_down(dollars))


def fund_wallet(chain: Chain, address: str, dollars: Decimal) -> None:
    """Give a wallet USDC; its account exists from then on."""
    chain.credit(address, quote_down(dollars))


def open_book(chain: Chain, owner: str, number: int, dollars: Mapping[str, Decimal]) -> None:
    """Open positions of signed dollar notionals at the oracle price, without fee or fill.

    Each size is cut to whole steps, toward zero.
    """
    for ticker, notional in dollars.items():
        market = chain.committed.markets[ticker]
        spec = market.spec
        price = oracle_dollars(market.price, spec.oracle_exponent)
        exact = int((abs(notional) / price).scaleb(-spec.atomic_resolution))
        size = round_down(exact, spec.step_base_quantums)
        signed = BaseQuantums(size if notional > 0 else -size)
        if signed:
            chain.assign(SubaccountId(owner=owner, number=number), ticker, signed)


def equal_parts(
    equity: Decimal, leverage: Decimal, tickers: Sequence[str], side: Side
) -> dict[str, Decimal]:
    """Signed dollars per market of a book of `leverage` times equity in equal parts."""
    each = equity * leverage / len(tickers)
    return dict.fromkeys(tickers, side.sign * each)


def open_family(chain: Chain, owner: str, equity: Decimal, leverage: Decimal, side: Side) -> None:
    """Open an owner's books at `leverage` times equity in equal parts, all on one side.

    Cross markets are held by subaccount 0, each isolated one by a child with its share of equity.
    A leverage of 0 leaves all equity in subaccount 0.
    """
    if not leverage:
        fund(chain, owner, 0, equity)
        return
    specs = [market.spec for market in chain.committed.markets.values()]
    alone = [spec.ticker for spec in specs if spec.market_type is MarketType.ISOLATED]
    book = equal_parts(equity, leverage, [spec.ticker for spec in specs], side)
    share = equity / len(specs)
    fund(chain, owner, 0, equity - share * len(alone))
    open_book(chain, owner, 0, {t: part for t, part in book.items() if t not in alone})
    for child, ticker in enumerate(alone, start=1):
        fund(chain, owner, child * PARENTS, share)
        open_book(chain, owner, child * PARENTS, {ticker: book[ticker]})
