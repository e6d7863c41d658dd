"""The simulated chain: CheckTx, blocks, committed state.

One block (MARGIN.md 4.1; v4-chain, x/clob/abci.go): long-term orders that the last block took and
conditional ones that it triggered, then liquidations of what was marked two blocks ago, then
short-term orders and cancels in order of arrival, then the house against resting orders its quotes
now cross, then transfers and stateful orders, all at the oracle of the block before; then the
oracle update, to the mid of one block ago; then funding, expiry, legs of TWAP orders and triggers
of conditional ones. Nothing here reads a clock or draws a number: the same inputs give the same
block hashes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from seawall.account import MarketStatus, Side
from seawall.simulator import conditional, execution, funding, house, twap
from seawall.simulator.ante import Ante
from seawall.simulator.book import Shape
from seawall.simulator.deleveraging import final_positions
from seawall.simulator.events import Block, FillEvent, OrderEvent, TransferEvent
from seawall.simulator.exchange import Exchange, Log, ReduceOnly, Rules
from seawall.simulator.limits import OrderLimits
from seawall.simulator.liquidation import liquidate, marked
from seawall.simulator.markets import MARKETS, Depth, Fees, LiquidationConfig, MarketSpec
from seawall.simulator.mempool import Mempool
from seawall.simulator.messages import CheckResult, Message, SubaccountId
from seawall.simulator.state import AccountState, State
from seawall.simulator.wallets import Gate, GateState, Wallets
from seawall.units import BaseQuantums, Millis, QuoteQuantums

Price = Decimal | float | int

GENESIS_HASH = "0" * 64
STATUSES = (MarketStatus.ACTIVE, MarketStatus.INITIALIZING, MarketStatus.FINAL_SETTLEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """What may differ between runs of the same chain."""

    chain_id: str = "seawall-sim-1"
    first_height: int = 1
    short_block_window: int = 40  # 20 before protocol v9.5
    fees: Fees = field(default_factory=Fees)
    liquidation: LiquidationConfig = field(default_factory=LiquidationConfig)
    insurance_fund: QuoteQuantums = QuoteQuantums(5_000_000_000_000)
    isolated: frozenset[str] = frozenset()  # tickers whose positions stand alone
    isolated_insurance_fund: QuoteQuantums = QuoteQuantums(0)  # of each isolated market
    gate: Gate = Gate.DEPOSITS_TOO
    reduce_only: ReduceOnly = ReduceOnly.HONOURED
    not_served: frozenset[str] = frozenset()  # gRPC methods that this node is too old for
    limits: OrderLimits = field(default_factory=OrderLimits)
    history_blocks: int = 100  # committed states and blocks kept for pinned reads


@dataclass(slots=True)
class History:
    """Fills, transfers and what became of orders, each with the height of its block."""

    fills: list[tuple[int, FillEvent]] = field(default_factory=list)
    orders: list[tuple[int, OrderEvent]] = field(default_factory=list)
    transfers: list[tuple[int, TransferEvent]] = field(default_factory=list)


class Chain:
    """One chain with one node: what is accepted by `check` runs in the next block."""

    def __init__(
        self,
        *,
        start: Millis,
        mids: Mapping[str, Price],
        settings: ChainSettings | None = None,
        markets: Sequence[MarketSpec] = MARKETS,
    ) -> None:
        self.settings = settings or ChainSettings()
        self._specs = {spec.ticker: spec for spec in markets}
        self._mids = {spec.ticker: to_price(spec, mids[spec.ticker]) for spec in markets}
        rules = Rules(
            fees=self.settings.fees,
            liquidation=self.settings.liquidation,
            reduce_only=self.settings.reduce_only,
            limits=self.settings.limits,
        )
        self._exchange = Exchange(markets, self._mids, start, rules)
        self._exchange.height = self.settings.first_height
        self._exchange.insurance = {
            None: self.settings.insurance_fund,
            **dict.fromkeys(self._exchange.isolated, self.settings.isolated_insurance_fund),
        }
        self._wallets = Wallets()
        self.permissions = self._exchange.permissions
        self.history = History()
        self._negative_seen: dict[int | None, int] = {}
        self._outage_seen: int | None = None
        self._marked: tuple[tuple[SubaccountId, ...], tuple[SubaccountId, ...]] = ((), ())
        self._states: deque[State] = deque(maxlen=self.settings.history_blocks)
        self._blocks: deque[Block] = deque(maxlen=self.settings.history_blocks)
        self._mempool = Mempool(self._exchange, self._wallets, self.settings.short_block_window)
        self._blocks.append(Block(height=self._exchange.height, time=start, hash=GENESIS_HASH))
        self._commit(GENESIS_HASH)

    @property
    def chain_id(self) -> str:
        """The name that transactions are signed for."""
        return self.settings.chain_id

    @property
    def committed(self) -> State:
        """The newest committed state."""
        return self._states[-1]

    @property
    def height(self) -> int:
        """Height of the newest block."""
        return self._exchange.height

    @property
    def time(self) -> Millis:
        """Time of the newest block."""
        return self._exchange.time

    @property
    def latest(self) -> Block:
        """The newest block."""
        return self._blocks[-1]

    def at_height(self, height: int) -> State | None:
        """The committed state of a height; None where it is pruned or not there yet."""
        index = height - self.height + len(self._states) - 1
        return self._states[index] if 0 <= index < len(self._states) else None

    def block(self, height: int) -> Block | None:
        """A block by height; None where it is pruned or not there yet."""
        index = height - self.height + len(self._blocks) - 1
        return self._blocks[index] if 0 <= index < len(self._blocks) else None

    def book(self, ticker: str) -> Shape:
        """A market's book at the newest block, users' resting orders included."""
        return self._exchange.books[ticker].shape

    @property
    def is_quiet(self) -> bool:
        """Whether the next block would do nothing as long as prices rest.

        Nothing is queued, no book refills, nobody is or may be up for liquidation, and the oracle
        has caught up with the mid.
        """
        return not (
            not self._mempool.is_empty
            or self._marked[0]
            or self._marked[1]
            or self._exchange.due
            or self._exchange.schedules
            or self._exchange.premiums.votes
            or any(book.is_refilling for book in self._exchange.books.values())
            or any(m.price != self._mids[t] for t, m in self._exchange.markets.items())
        )

    def check(
        self,
        message: Message,
        tx: str = "",
        gas: int | None = None,
        ante: Ante | None = None,
    ) -> CheckResult:
        """CheckTx on committed plus pending state; `tx` names the result in `Block.results`.

        Code 0 means that the message runs in the next block, where it may still do nothing, and
        where a money message runs out of `gas` that is too little. Signatures, sequences and known
        bytes are not judged here; `ante`, of what goes through a block, is judged there once more.
        """
        return self._mempool.check(message, tx, gas, ante)

    def check_all(
        self,
        messages: Sequence[Message],
        tx: str = "",
        gas: int | None = None,
        ante: Ante | None = None,
    ) -> CheckResult:
        """CheckTx of one transaction with several messages, which stand and fall together."""
        return self._mempool.check_all(messages, tx, gas, self._gate, ante)

    def rehearse(self, messages: Sequence[Message]) -> CheckResult:
        """What the next block would make of a transaction's messages if they came alone."""
        return self._mempool.rehearse(messages, self._gate)

    def pending_account(self, address: str) -> AccountState | None:
        """A wallet as CheckTx sees it; None where the chain has never seen the address."""
        return self._mempool.account(address)

    def increment_sequence(self, address: str) -> None:
        """Count a sequence for CheckTx now and for the committed state with the next block."""
        self._mempool.increment_sequence(address)

    def advance(
        self, at: Millis, mids: Mapping[str, Price], oracle: Mapping[str, Price] | None = None
    ) -> Block:
        """Make one block at chain time `at` with the mids of that moment, in dollars per coin.

        A market that `mids` does not name keeps its mid; one that `oracle` does not name gets the
        mid of one block ago as its oracle price.
        """
        exchange = self._exchange
        assert at > exchange.time, "block time must grow"
        previous, mids_before = exchange.time, dict(self._mids)
        exchange.height += 1
        exchange.log = Log()
        for ticker, price in mids.items():
            self._mids[ticker] = to_price(self._specs[ticker], price)
        for ticker, book in exchange.books.items():
            book.step(at, self._mids[ticker])
        exchange.time = at
        conditional.place_due(exchange)
        if self._marked[0] or final_positions(exchange):
            negative = liquidate(exchange, self._marked[0], previous // 1_000)
            self._negative_seen |= dict.fromkeys(negative, exchange.height)
        self._mempool.run_clob()
        house.cross_resting(exchange)
        self._mempool.run_sequenced(previous, self._gate)
        told = {t: to_price(self._specs[t], price) for t, price in (oracle or {}).items()}
        execution.update_oracle(exchange, {**mids_before, **told} if told else mids_before)
        funding.turn(exchange, previous, {**self._mids, **told} if told else self._mids)
        execution.expire(exchange)
        twap.make_legs(exchange)
        conditional.trigger(exchange)
        self._mempool.clear()
        self._marked = (self._marked[1], marked(exchange))
        return self._seal()

    def credit(self, address: str, amount: QuoteQuantums) -> AccountState:
        """Give a wallet USDC out of nothing, at once: for setting the stage."""
        wallet = self._wallets.credit(address, amount)
        self._recommit()
        return wallet

    def endow(self, subaccount: SubaccountId, amount: QuoteQuantums) -> None:
        """Give a subaccount USDC out of nothing, at once: for setting the stage."""
        account = self._exchange.settled(subaccount)
        self._exchange.store(replace(account, usdc=QuoteQuantums(account.usdc + amount)))
        self._recommit()

    def assign(self, subaccount: SubaccountId, ticker: str, quantums: BaseQuantums) -> None:
        """Trade with the house at the oracle price without a fee, at once: for setting the stage.

        Net collateral does not change.
        """
        execution.assign(self._exchange, subaccount, ticker, quantums)
        self._recommit()

    def set_depth(self, ticker: str, depth: Depth) -> None:
        """Change a book's calm depth at once."""
        self._exchange.books[ticker].set_depth(depth)

    def set_status(self, ticker: str, status: MarketStatus) -> None:
        """Change a market's status; final settlement cancels its stateful orders at once.

        The chain knows three; PAUSED, CANCEL_ONLY and POST_ONLY are names without a transition.
        """
        assert status in STATUSES, f"the chain has no transition to {status}"
        market = self._exchange.markets[ticker]
        spec = replace(market.spec, status=status)
        self._exchange.set_market(replace(market, spec=spec))
        if status is MarketStatus.FINAL_SETTLEMENT:
            execution.cancel_stateful(self._exchange, spec.clob_pair_id)
        self._recommit()

    def set_quoting(self, ticker: str, sides: frozenset[Side]) -> None:
        """Let the house quote on these sides only, at once."""
        self._exchange.books[ticker].set_quoting(sides)

    def set_hourly_rate(self, ticker: str, rate: Decimal) -> None:
        """Set a market's funding rate per hour for good, > 0: longs pay; kept to 1/8 ppm."""
        eight_hours = (rate * 8).scaleb(6).to_integral_value(ROUND_HALF_EVEN)
        market = self._exchange.markets[ticker]
        given = replace(market, rate_8h_ppm=int(eight_hours), is_rate_given=True)
        self._exchange.set_market(given)
        self._recommit()

    def set_execution_delay(self, blocks: int) -> None:
        """Let short-term messages run so many blocks late from now on, or never past their GTB."""
        self._mempool.delay_blocks = blocks

    def set_starting(self, *, is_starting: bool) -> None:
        """Let the node refuse orders while it builds its books; once built, state's orders return.

        So a triggered order that a book refused meets it once more (ORDERS.md 1.3).
        """
        if self._mempool.is_starting and not is_starting:
            conditional.place_again(self._exchange)
        self._mempool.is_starting = is_starting

    def set_smart_accounts(self, *, is_active: bool) -> None:
        """Throw governance's switch over all permissioned keys."""
        self.permissions.is_active = is_active
        self._recommit()

    def record_outage(self) -> None:
        """Raise the transfer gate as a chain outage of five minutes does."""
        self._outage_seen = self.height
        self._recommit()

    def record_negative(self, pool: int | None = None) -> None:
        """Raise a pool's transfer gate as an account of it left below zero does."""
        self._negative_seen[pool] = self.height
        self._recommit()

    def total_money(self) -> int:
        """All USDC there is, in quote quantums: blocks never change it."""
        wallets = sum(wallet.balance for wallet in self._wallets.known.values())
        return wallets + self._exchange.total_money()

    def house_position(self, ticker: str) -> BaseQuantums:
        """Signed size that the house holds: all users' sizes and this one add up to zero."""
        return BaseQuantums(self._exchange.house[self._specs[ticker].perpetual_id])

    @property
    def _gate(self) -> GateState:
        return GateState(
            rule=self.settings.gate, negative=self._negative_seen, outage=self._outage_seen
        )

    def _seal(self) -> Block:
        """Close the block: hash it over what it did, and commit the state."""
        log, height, at = self._exchange.log, self._exchange.height, self._exchange.time
        happened = (log.fills, log.orders, log.transfers, log.funding, log.results)
        words = f"{self.latest.hash}|{height}|{at}|{tuple(self._mids.values())}"
        if any(happened) or log.liquidations or log.deleveragings:
            words += repr((happened, log.liquidations, log.deleveragings))
        digest = sha256(words.encode()).hexdigest()
        block = Block(
            height=height,
            time=at,
            hash=digest,
            fills=tuple(log.fills),
            orders=tuple(log.orders),
            transfers=tuple(log.transfers),
            prices=tuple(log.prices),
            funding=tuple(log.funding),
            liquidations=tuple(log.liquidations),
            deleveragings=tuple(log.deleveragings),
            results=tuple(log.results),
        )
        self.history.fills.extend((height, fill) for fill in log.fills)
        self.history.transfers.extend((height, moved) for moved in log.transfers)
        self.history.orders.extend((height, told) for told in log.orders)
        self._blocks.append(block)
        self._commit(digest)
        return block

    def _commit(self, digest: str) -> None:
        exchange = self._exchange
        self._states.append(
            State(
                height=exchange.height,
                time=exchange.time,
                hash=digest,
                markets=dict(exchange.markets),
                terms=dict(exchange.terms),
                accounts=dict(exchange.accounts),
                wallets=dict(self._wallets.known),
                orders=execution.open_orders(exchange),
                premiums=exchange.premiums,
                negative_seen=dict(self._negative_seen),
                outage_seen=self._outage_seen,
                insurance=dict(exchange.insurance),
                permissions=dict(self.permissions.by_owner),
                is_smart_account_active=self.permissions.is_active,
            )
        )

    def _recommit(self) -> None:
        """Replace the newest state after the stage was set; pending trials start afresh."""
        digest = self._states.pop().hash
        self._commit(digest)
        assert not self._mempool.is_tried, "the stage is set between blocks, before messages arrive"
        self._mempool.clear()
        self._marked = (self._marked[0], marked(self._exchange))


def to_price(spec: MarketSpec, dollars: Price) -> int:
    """Dollars per coin as an oracle integer, rounded half to even; always above zero."""
    if isinstance(dollars, Decimal):
        scaled = dollars.scaleb(-spec.oracle_exponent)
        price = int(scaled.to_integral_value(ROUND_HALF_EVEN))
    else:
        price = round(dollars * 10**-spec.oracle_exponent)
    assert price > 0, f"{spec.ticker}: price {dollars} is not above zero"
    return price
