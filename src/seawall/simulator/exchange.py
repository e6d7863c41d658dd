"""Accounts, markets and books of the venue, and how money and size move between them.

The exchange holds values and replaces them; a fork is a cheap copy that CheckTx may spoil. The
house makes the depth of every book; it has no margin, and its books are kept so that size and
money are conserved: what the users hold, the house holds with the other sign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seawall.account import MarketType
from seawall.simulator import pools, ruler
from seawall.simulator.authenticators import Permissions
from seawall.simulator.book import Book
from seawall.simulator.events import (
    DeleveragingEvent,
    FillEvent,
    FundingUpdate,
    LiquidationEvent,
    OrderEvent,
    OrderStatus,
    PriceUpdate,
    TransferEvent,
    TxResult,
)
from seawall.simulator.limits import OrderLimits
from seawall.simulator.markets import Fees, LiquidationConfig, MarketSpec
from seawall.simulator.messages import (
    SHORT_TERM,
    TWAP,
    TWAP_LEG,
    OrderId,
    PlaceOrder,
    SubaccountId,
)
from seawall.simulator.ruler import Held, Risk, Terms
from seawall.simulator.state import Account, MarketState, OpenOrder, Premiums, Schedule
from seawall.units import BaseQuantums, Millis, QuoteQuantums

FILL_MEMORY_BLOCKS = 40


class ReduceOnly(StrEnum):
    """Whether the exchange honours reduce-only: the chain leaves it to the proposer."""

    HONOURED = "HONOURED"
    IGNORED = "IGNORED"


@dataclass(slots=True)
class Log:
    """What has happened since the block began."""

    fills: list[FillEvent] = field(default_factory=list)
    orders: list[OrderEvent] = field(default_factory=list)
    transfers: list[TransferEvent] = field(default_factory=list)
    prices: list[PriceUpdate] = field(default_factory=list)
    funding: list[FundingUpdate] = field(default_factory=list)
    liquidations: list[LiquidationEvent] = field(default_factory=list)
    deleveragings: list[DeleveragingEvent] = field(default_factory=list)
    results: list[TxResult] = field(default_factory=list)
    cancelled: set[OrderId] = field(default_factory=set)  # stateful, by their owners
    removed: set[OrderId] = field(default_factory=set)  # stateful, filled or removed otherwise
    matched: dict[OrderId, PlaceOrder] = field(default_factory=dict)  # the newest of each id


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMemory:
    """How much of an order id has filled, and the height at which the chain forgets it."""

    filled: int
    forget_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The parameters that trading needs."""

    fees: Fees
    liquidation: LiquidationConfig
    reduce_only: ReduceOnly
    limits: OrderLimits = field(default_factory=OrderLimits)


class Exchange:
    """The state that blocks change, at `height` (the block being made, or the last one)."""

    def __init__(
        self, specs: Iterable[MarketSpec], prices: dict[str, int], at: Millis, rules: Rules
    ) -> None:
        self.rules = rules
        self.height = 0
        self.time = at
        self.markets: dict[str, MarketState] = {}
        self.terms: dict[int, Terms] = {}
        self.tickers: dict[int, str] = {}  # by clob pair
        self.books: dict[str, Book] = {}
        self.accounts: dict[SubaccountId, Account] = {}
        self.fills: dict[OrderId, FillMemory] = {}
        self.cancels: dict[OrderId, int] = {}  # good-til-block of each cancel remembered
        self.untriggered: dict[OrderId, OpenOrder] = {}
        self.off_book: dict[OrderId, OpenOrder] = {}  # in state: just placed, or triggered
        self.due: list[OrderId] = []  # of those, what the next block puts on the book
        self.schedules: dict[OrderId, Schedule] = {}  # of TWAP orders, which are off the book
        self.insurance: dict[int | None, int] = {None: 0}  # funds by collateral pool
        self.fee_pool = 0
        self.house_usdc = 0
        self.house: dict[int, int] = {}  # size by perpetual
        self.house_funding_ppm = 0  # what the house is owed, in 10^-6 quote quantums
        self.dust_ppm = 0  # what was rounded away when accounts were settled, the same
        self.premiums = Premiums()
        self.arrivals = 0
        self.isolated: frozenset[int] = frozenset()
        self.permissions = Permissions()
        self.log = Log()
        for spec in specs:
            price = prices[spec.ticker]
            terms = ruler.terms_of(spec, price, 0, spec.open_interest)
            self.set_market(MarketState(spec=spec, price=price, terms=terms))
            self.tickers[spec.clob_pair_id] = spec.ticker
            self.books[spec.ticker] = Book(spec, price, at)
            self.house[spec.perpetual_id] = 0
            if spec.market_type is MarketType.ISOLATED:
                self.isolated |= {spec.perpetual_id}

    def fork(self) -> Exchange:
        """A copy on which CheckTx tries what it accepts."""
        copy = Exchange((), {}, self.time, self.rules)
        copy.height = self.height
        copy.markets, copy.terms = dict(self.markets), dict(self.terms)
        copy.tickers = self.tickers
        copy.books = {ticker: book.fork() for ticker, book in self.books.items()}
        copy.accounts = dict(self.accounts)
        copy.fills, copy.cancels = dict(self.fills), dict(self.cancels)
        copy.untriggered = dict(self.untriggered)
        copy.off_book, copy.due = dict(self.off_book), list(self.due)
        copy.schedules = dict(self.schedules)
        copy.insurance, copy.fee_pool = dict(self.insurance), self.fee_pool
        copy.house_usdc, copy.house = self.house_usdc, dict(self.house)
        copy.arrivals, copy.isolated = self.arrivals, self.isolated
        copy.permissions = self.permissions
        return copy

    def set_market(self, market: MarketState) -> None:
        """Put a market's new state in force."""
        self.markets[market.spec.ticker] = market
        self.terms[market.spec.perpetual_id] = market.terms

    def market_of_clob(self, clob_pair_id: int) -> MarketState | None:
        """The market of a clob pair; None where there is none."""
        ticker = self.tickers.get(clob_pair_id)
        return None if ticker is None else self.markets[ticker]

    def market_of_perpetual(self, perpetual_id: int) -> MarketState:
        """The market of a perpetual that somebody holds."""
        for market in self.markets.values():
            if market.spec.perpetual_id == perpetual_id:
                return market
        raise AssertionError(f"no market for perpetual {perpetual_id}")

    def book_of(self, order_id: OrderId) -> Book:
        """The book on which an order of that id would rest."""
        return self.books[self.tickers[order_id.clob_pair_id]]

    def resting(self, order_id: OrderId) -> OpenOrder | None:
        """The order of that id on the book; None where there is none."""
        return self.book_of(order_id).orders.get(order_id)

    def stateful(self, order_id: OrderId) -> OpenOrder | None:
        """The long-term or conditional order of that id, wherever it waits; None for none."""
        return (
            self.resting(order_id) or self.untriggered.get(order_id) or self.off_book.get(order_id)
        )

    def stateful_count(self, subaccount: SubaccountId) -> int:
        """How many stateful orders of a subaccount are in state; legs of a TWAP order are free."""
        resting = (order_id for book in self.books.values() for order_id in book.orders)
        everywhere = (*resting, *self.untriggered, *self.off_book)
        free = (SHORT_TERM, TWAP_LEG)
        return sum(o.subaccount == subaccount and o.order_flags not in free for o in everywhere)

    def fund_of(self, perpetual_id: int) -> int | None:
        """The key of the insurance fund that stands behind a perpetual; None is the common one."""
        return perpetual_id if perpetual_id in self.isolated else None

    def pool_of(self, subaccount: SubaccountId) -> int | None:
        """The collateral pool that an account is in; None is that of all cross markets."""
        return pools.pool_of(self.account(subaccount).held, self.isolated)

    def account(self, subaccount: SubaccountId) -> Account:
        """The account as stored; an empty one where the chain has none."""
        return self.accounts.get(subaccount) or Account(id=subaccount)

    def settled(self, subaccount: SubaccountId) -> Account:
        """The account with funding settled into its USDC, not yet stored."""
        account = self.account(subaccount)
        if all(one.funding_index == self.terms[one[0]].funding_index for one in account.held):
            return account
        owed = ruler.funding_owed(account.held, self.terms)
        held = tuple(
            one._replace(funding_index=self.terms[one.perpetual_id].funding_index)
            for one in account.held
        )
        return replace(account, usdc=QuoteQuantums(account.usdc + owed), held=held)

    def store(self, account: Account) -> None:
        """Store an account that this block changed, settled if its positions changed."""
        before = self.account(account.id).held
        if before != account.held:
            self.dust_ppm += ruler.funding_owed_ppm(before, self.terms) % ruler.MILLION
        self.accounts[account.id] = replace(account, updated_height=self.height)

    def risk(self, account: Account) -> Risk:
        """NC, IMR and MMR of an account on the current terms."""
        return ruler.risk(account.usdc, account.held, self.terms, account.custom_imf_ppm)

    def risk_on(self, account: Account, terms: Terms | None) -> Risk:
        """The same with one market's terms replaced, as a match does with open interest."""
        if terms is None:
            return self.risk(account)
        on = {**self.terms, terms.perpetual_id: terms}
        return ruler.risk(account.usdc, account.held, on, account.custom_imf_ppm)

    def with_trade(self, account: Account, perpetual_id: int, size: int, usdc: int) -> Account:
        """A settled account after its position changed by `size` and its USDC by `usdc`."""
        fresh = Held(perpetual_id, 0, self.terms[perpetual_id].funding_index)
        known = [one for one in account.held if one.perpetual_id == perpetual_id]
        others = [one for one in account.held if one.perpetual_id != perpetual_id]
        before = known[0] if known else fresh
        if before.quantums + size != 0:
            others.append(before._replace(quantums=before.quantums + size))
        return replace(
            account,
            usdc=QuoteQuantums(account.usdc + usdc),
            held=tuple(sorted(others)),
        )

    def set_open_interest(self, market: MarketState, terms: Terms) -> None:
        """Put terms with another open interest in force."""
        if terms.open_interest != market.terms.open_interest:
            self.set_market(replace(market, terms=terms))

    def house_trades(self, perpetual_id: int, size: int, usdc: int) -> None:
        """The house's side of a match."""
        self.house[perpetual_id] += size
        self.house_usdc += usdc

    def next_arrival(self) -> int:
        """The rank in time of the next order."""
        self.arrivals += 1
        return self.arrivals

    def remember_fill(self, order_id: OrderId, filled: int, good_til_block: int) -> None:
        """Remember how much of an order id has filled; short-term ids until GTB + 40.

        What a leg fills its TWAP order has filled too.
        """
        known = self.fills.get(order_id)
        parent = self.off_book.get(replace(order_id, order_flags=TWAP))
        if order_id.order_flags == TWAP_LEG and parent is not None:
            more = filled - (known.filled if known else 0)
            parent = replace(parent, filled=BaseQuantums(parent.filled + more))
            self.off_book[parent.order.order_id] = parent
            self.remember_fill(parent.order.order_id, parent.filled, good_til_block)
            self.log.orders.append(
                OrderEvent(order=parent.order, status=OrderStatus.OPEN, filled=parent.filled)
            )
        forget = good_til_block + FILL_MEMORY_BLOCKS
        self.fills[order_id] = FillMemory(
            filled=filled, forget_height=max(forget, known.forget_height if known else 0)
        )

    def filled(self, order_id: OrderId) -> int:
        """How much of an order id has filled, as far as the chain remembers."""
        known = self.fills.get(order_id)
        return known.filled if known else 0

    def total_money(self) -> int:
        """All USDC inside in quote quantums; only deposits and withdrawals change it.

        Funding that is owed counts as held, so that what one side pays the other side has.
        """
        accounts = self.accounts.values()
        owed = sum(ruler.funding_owed_ppm(account.held, self.terms) for account in accounts)
        funding, rest = divmod(owed + self.house_funding_ppm + self.dust_ppm, ruler.MILLION)
        assert rest == 0, "funding that is paid and not received"
        held = sum(account.usdc for account in accounts) + self.house_usdc + self.fee_pool
        return held + funding + sum(self.insurance.values())


def open_interest_change(before: int, after: int) -> int:
    """What one side of a match adds to open interest (MARGIN.md 2.5)."""
    return max(after, 0) - max(before, 0)
