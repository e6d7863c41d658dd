"""Observations built readably: `see(equity=23_000, positions={"BTC-USD": (0.06, 100_000)})`.

Plain numbers are dollars, coins and prices. What is not given is calm: a fresh deep book around
the oracle, no resting orders, no funding, sources that agree, a key that reaches everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall import margin, units
from seawall.account import (
    EQUITY_TIERS,
    Advice,
    Book,
    BookLevel,
    EquityTier,
    Fill,
    FloatWallet,
    Funding,
    IndexerSizes,
    KeyReach,
    Market,
    Missing,
    Observation,
    Position,
    RestingOrder,
    Side,
    Subaccount,
    Tier,
    Transfer,
)
from seawall.measures import ledger
from seawall.measures.ledger import Ledger
from seawall.measures.view import View
from seawall.scenario import Buffer, Caps, Scenario
from seawall.units import BaseQuantums, Millis, Ppm, QuoteQuantums, Subticks

Number = int | float | str | Decimal
Held = Mapping[str, tuple[Number, Number]]  # ticker -> (coins, oracle price)

CHAIN_ID = "seawall-1"
OWNER = "dydx1owner"
AT = Millis(1_700_000_000_000)
HEIGHT = 1_000
PRICE_BAND = Ppm(30_000)
CALM = Funding(rate=Decimal(0), p90_long=Decimal(0), p90_short=Decimal(0))

LARGE = Tier(initial_margin_ppm=Ppm(20_000), maintenance_fraction_ppm=Ppm(600_000))
MIDDLE = Tier(initial_margin_ppm=Ppm(50_000), maintenance_fraction_ppm=Ppm(600_000))


def decimal(number: Number) -> Decimal:
    """The decimal that was written: 0.06 is 0.06, not its binary neighbour."""
    return Decimal(str(number))


def quote(dollars: Number) -> QuoteQuantums:
    """Quote quantums of dollars, exact; asserts that they are whole."""
    return QuoteQuantums(_whole(decimal(dollars).scaleb(6)))


def _whole(value: Decimal) -> int:
    assert value == value.to_integral_value(), f"{value} is not a whole number of chain units"
    return int(value)


BTC = Market(
    ticker="BTC-USD",
    perpetual_id=0,
    clob_pair_id=0,
    atomic_resolution=-10,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_price=100_000 * 10**5,
    oracle_exponent=-5,
    tier=LARGE,
)
ETH = Market(
    ticker="ETH-USD",
    perpetual_id=1,
    clob_pair_id=1,
    atomic_resolution=-9,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_price=4_000 * 10**6,
    oracle_exponent=-6,
    tier=LARGE,
)
SOL = Market(
    ticker="SOL-USD",
    perpetual_id=5,
    clob_pair_id=5,
    atomic_resolution=-7,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_price=200 * 10**8,
    oracle_exponent=-8,
    tier=MIDDLE,
)
MARKETS: Mapping[str, Market] = {market.ticker: market for market in (BTC, ETH, SOL)}


def priced(market: Market, dollars: Number) -> Market:
    """The market at another oracle price."""
    price = _whole(decimal(dollars).scaleb(-market.oracle_exponent))
    return replace(market, oracle_price=price)


def quantums(market: Market, size: Number) -> BaseQuantums:
    """Signed base quantums of a size in coins."""
    return BaseQuantums(_whole(decimal(size).scaleb(-market.atomic_resolution)))


def subticks(market: Market, dollars: Number) -> Subticks:
    """Subticks of an order price in dollars per coin."""
    shift = market.atomic_resolution - market.quantum_conversion_exponent + 6
    return Subticks(_whole(decimal(dollars).scaleb(shift)))


def book(
    market: Market,
    mid: Number | None = None,
    *,
    half_spread: Number = "0.0002",
    levels: Sequence[tuple[Number, Number]] | None = None,
    seen_at: Millis = AT,
) -> Book:
    """A symmetric book; `levels` are (distance from mid as a fraction, coins), best first.

    Prices are rounded away from the mid to the tick. The default is one deep level a side.
    """
    middle = market.oracle_dollars if mid is None else decimal(mid)
    depth = levels or ((half_spread, Decimal(100_000_000) / middle),)
    bids, asks = [], []
    for distance, size in depth:
        away = middle * decimal(distance)
        step = market.step_base_quantums
        amount = int(decimal(size).scaleb(-market.atomic_resolution)) // step * step
        bids.append(BookLevel(_on_tick(market, middle - away, up=False), BaseQuantums(amount)))
        asks.append(BookLevel(_on_tick(market, middle + away, up=True), BaseQuantums(amount)))
    return Book(seen_at=seen_at, bids=tuple(bids), asks=tuple(asks))


def _on_tick(market: Market, dollars: Decimal, *, up: bool) -> Subticks:
    shift = market.atomic_resolution - market.quantum_conversion_exponent + 6
    raw = dollars.scaleb(shift)
    tick = market.subticks_per_tick
    whole = int(raw.to_integral_value("ROUND_CEILING" if up else "ROUND_FLOOR"))
    return Subticks((units.round_up if up else units.round_down)(whole, tick))


def resting(
    market: Market,
    side: Side,
    size: Number,
    price: Number,
    *,
    subaccount: int = 0,
    client_id: int = 1,
    reduce_only: bool = False,
    order_flags: int = 64,
    ours: bool = False,
) -> RestingOrder:
    """A resting order in coins and dollars."""
    return RestingOrder(
        subaccount=subaccount,
        ticker=market.ticker,
        side=side,
        quantums=quantums(market, size),
        subticks=subticks(market, price),
        client_id=client_id,
        order_flags=order_flags,
        reduce_only=reduce_only,
        good_til_block=None if order_flags else HEIGHT + 10,
        good_til_block_time=AT // 1_000 + 86_400 if order_flags else None,
        ours=ours,
    )


def subaccount_of(
    number: int,
    equity: Number,
    positions: Mapping[str, Number],
    markets: Mapping[str, Market],
    *,
    custom_imf: Mapping[str, Number] | Missing | None = None,
) -> Subaccount:
    """A settled subaccount worth exactly `equity` dollars at the oracle; sizes in coins."""
    held = tuple(
        Position(
            ticker=ticker,
            quantums=quantums(markets[ticker], size),
            funding_index=markets[ticker].funding_index,
        )
        for ticker, size in positions.items()
    )
    worth = sum(margin.notional(markets[one.ticker], one.quantums) for one in held)
    imf: Mapping[str, Ppm] | Missing
    if isinstance(custom_imf, Missing):
        imf = custom_imf
    else:
        imf = {t: Ppm(_whole(decimal(v).scaleb(6))) for t, v in (custom_imf or {}).items()}
    return Subaccount(
        number=number,
        usdc=QuoteQuantums(quote(equity) - worth),
        positions=held,
        custom_imf_ppm=imf,
    )


def see(
    *,
    equity: Number = 23_000,
    positions: Held | None = None,
    children: Mapping[int, tuple[Number, Held]] | None = None,  # number -> (equity, positions)
    custom_imf: Mapping[str, Number] | Missing | None = None,
    float: Number | None = None,  # noqa: A002 - the word of the rule file
    float_sequence: int = 7,
    markets: Mapping[str, Market] | None = None,
    books: Mapping[str, Book] | None = None,  # None is deep and fresh, {} is none at all
    orders: tuple[RestingOrder, ...] | Missing = (),
    fills: tuple[Fill, ...] | Missing = (),
    transfers: tuple[Transfer, ...] | Missing = (),
    funding: Mapping[str, Funding] | Missing | None = None,
    indexer_sizes: IndexerSizes | Missing | None = None,
    key_reach: KeyReach | Missing | None = None,
    tried: Mapping[tuple[int, str], int] | None = None,
    transfers_blocked_until: Mapping[int, int] | None = None,
    equity_tiers: tuple[EquityTier, ...] = EQUITY_TIERS,
    taker_fee_ppm: int = 500,
    height: int = HEIGHT,
    at: Millis = AT,
    seen_at: Millis | None = None,
) -> Observation:
    """An observation of subaccount 0 and its children, calm wherever nothing is said."""
    known = dict(MARKETS if markets is None else markets)
    accounts = {0: (equity, positions or {}), **(children or {})}
    for _, held in accounts.values():
        for ticker, (_, price) in held.items():
            known[ticker] = priced(known[ticker], price)
    subaccounts = tuple(
        subaccount_of(
            number,
            worth,
            {ticker: size for ticker, (size, _) in held.items()},
            known,
            custom_imf=custom_imf,
        )
        for number, (worth, held) in accounts.items()
    )
    now = at if seen_at is None else seen_at
    sizes = {(s.number, p.ticker): p.quantums for s in subaccounts for p in s.positions}
    advice = Advice(
        books=_deep_books(known, now) if books is None else books,
        orders=orders,
        fills=fills,
        transfers=transfers,
        funding=dict.fromkeys(known, CALM) if funding is None else funding,
        indexer_sizes=indexer_sizes or IndexerSizes(height=height, quantums=sizes),
        key_reach=key_reach or KeyReach(),
        tried=tried or {},
    )
    wallet = None
    if float is not None:
        wallet = FloatWallet(
            address="dydx1float",
            balance=quote(float),
            sequence=float_sequence,
            account_number=9,
        )
    return Observation(
        chain_id=CHAIN_ID,
        owner=OWNER,
        height=height,
        at=at,
        seen_at=now,
        markets=known,
        subaccounts=subaccounts,
        taker_fee_ppm=Ppm(taker_fee_ppm),
        float_wallet=wallet,
        transfers_blocked_until=transfers_blocked_until or {},
        equity_tiers=equity_tiers,
        advice=advice,
    )


def _deep_books(known: Mapping[str, Market], now: Millis) -> dict[str, Book]:
    return {m.ticker: book(m, seen_at=now) for m in known.values() if m.oracle_price > 0}


def scenario(
    name: str = "twin-gap",
    shocks: Mapping[str, Number] | None = None,
    *,
    slippage: Number = 0,
    over: Millis = Millis(0),
    both_signs: bool = False,
) -> Scenario:
    """A scenario in fractions; the default is BTC and ETH down 10%, all else down 15%."""
    moves = {"BTC-USD": "-0.1", "ETH-USD": "-0.1", "*": "-0.15"} if shocks is None else shocks
    return Scenario(
        name=name,
        shocks={ticker: Ppm(_whole(decimal(move).scaleb(6))) for ticker, move in moves.items()},
        slippage=Ppm(_whole(decimal(slippage).scaleb(6))),
        over=over,
        both_signs=both_signs,
    )


def view(
    observation: Observation,
    *,
    buffer: Buffer | None = None,
    caps: Caps | None = None,
    scenarios: Sequence[Scenario] = (),
    price_band: Ppm = PRICE_BAND,
    book_of: Ledger | None = None,
) -> View:
    """The view of an observation; its ledger starts there unless one is given."""
    kept = book_of
    if kept is None:
        kept, _ = ledger.advance(None, observation, price_band=price_band)
    return View.of(
        observation,
        buffer=buffer or Buffer(),
        caps=caps or Caps(),
        scenarios={one.name: one for one in scenarios},
        price_band=price_band,
        ledger=kept,
    )
