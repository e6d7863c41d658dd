"""The account of a rule test: equity, float, positions, children, markets and resting orders."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from seawall.account import PARENTS, Market, RestingOrder, Side
from seawall.rulefile import literals
from seawall.rulefile.fields import Fields, choice, read, which_market
from seawall.rulefile.report import Report, did_you_mean
from seawall.rulefile.tree import Listing, Node, Table, Word, kind_of
from seawall.ruletest import amounts
from seawall.ruletest.markets import other, priced
from seawall.ruletest.script import Account, Holding
from seawall.units import PPM_ONE, BaseQuantums, Ppm, Subticks, round_down

RESTS = 64  # flag of a long-term order
RESTS_UNTIL = 4_000_000_000  # Unix seconds, after every test


def read_account(node: Node, markets: Mapping[str, Market], report: Report) -> Account | None:
    """The account at 0s; None where it was refused."""
    fields = Fields(
        node,
        report,
        what="`account`",
        known=("equity", "float", "positions", "children"),
        elsewhere={"usdc": "write `equity`: what the account is worth, positions included"},
    )
    oracles: dict[str, Decimal] = {}
    parent = _read_holding(fields, markets, oracles)
    holdings = {} if parent is None else {0: parent}
    children = fields.node("children")
    for entry in children.entries if isinstance(children, Table) else ():
        number = read(entry.key, literals.count, report, "children").value
        inner = Fields(entry.value, report, what="a child", known=("equity", "positions"))
        child = _read_holding(inner, markets, oracles)
        if number is not None and (number == 0 or number % PARENTS):
            report.refuse(entry.key, f"`{number}`: children of 0 are 128, 256, 384 …")
        elif number is not None and child is not None:
            holdings[number] = child
    wallet = fields.read("float", amounts.plain)
    if parent is None:
        return None
    return Account(
        holdings=holdings, oracles=oracles, wallet=None if wallet is None else wallet.value
    )


def _read_holding(
    fields: Fields, markets: Mapping[str, Market], oracles: dict[str, Decimal]
) -> Holding | None:
    equity = fields.required("equity", amounts.plain, "what the account is worth, in dollars")
    positions: dict[str, Decimal] = {}
    node = fields.node("positions")
    if node is not None and not isinstance(node, Table):
        fields.report.refuse(
            node, f"{kind_of(node)}: like {{BTC-USD: {{size: 0.06, oracle: 100_000}}}}"
        )
    for entry in node.entries if isinstance(node, Table) else ():
        ticker = entry.key.text
        if ticker not in markets:
            fields.report.refuse(
                entry.key,
                f"`{ticker}`: unknown market, {which_market(ticker, markets)}; "
                "others are described in `markets:`",
            )
            continue
        inner = Fields(entry.value, fields.report, what="a position", known=("size", "oracle"))
        size = inner.required("size", amounts.coins, "coins, a short is negative")
        oracle = inner.read("oracle", amounts.positive)
        if size is not None and size.value is not None:
            positions[ticker] = size.value
        if oracle is not None and oracle.value is not None:
            oracles[ticker] = oracle.value
    if equity is None or equity.value is None:
        return None
    return Holding(equity=equity.value, positions=positions)


def read_markets(
    node: Node | None, known: Mapping[str, Market], report: Report
) -> Mapping[str, Market]:
    """The markets of a test: those known before, and those described here."""
    if node is None:
        return known
    if not isinstance(node, Table):
        report.refuse(node, f"{kind_of(node)}: `markets` is a table of markets")
        return known
    found = dict(known)
    for number, entry in enumerate(node.entries):
        ticker = entry.key.text
        keys = ("oracle", "initial", "maintenance", "step", "tick")
        fields = Fields(entry.value, report, what=f"market `{ticker}`", known=keys)
        if ticker in known:
            found[ticker] = _changed(known[ticker], fields)
            continue
        oracle = fields.required("oracle", amounts.positive, "its price in dollars")
        initial = fields.required("initial", literals.share, "initial margin, like `10%`")
        maintenance = fields.required("maintenance", literals.share, "margin, like `5%`")
        if any(one is None or one.value is None for one in (oracle, initial, maintenance)):
            continue
        assert oracle is not None
        assert oracle.value is not None
        found[ticker] = other(
            ticker,
            number,
            oracle=oracle.value,
            initial=fields.value("initial", literals.share, Ppm(PPM_ONE)),
            maintenance=fields.value("maintenance", literals.share, Ppm(PPM_ONE)),
            step=fields.value("step", amounts.positive, Decimal("0.001")),
            tick=fields.value("tick", amounts.positive, Decimal("0.0001")),
        )
    return found


def _changed(market: Market, fields: Fields) -> Market:
    """A market of the fixture at another price; its margins are the venue's."""
    oracle = fields.value("oracle", amounts.positive, market.oracle_dollars)
    for key in ("initial", "maintenance", "step", "tick"):
        if fields.has(key):
            fields.report.refuse(
                fields.place_of(key), f"`{key}`: {market.ticker} has the venue's own, only `oracle`"
            )
    return priced(market, oracle)


def read_resting(
    node: Node, markets: Mapping[str, Market], report: Report
) -> tuple[RestingOrder, ...]:
    """Orders of the trader that rest from 0s on, `{market:, side:, size:, price:}`."""
    if not isinstance(node, Listing):
        report.refuse(node, f"{kind_of(node)}: `resting` is a list of orders")
        return ()
    orders = []
    for number, item in enumerate(node.items, start=1):
        keys = ("market", "side", "size", "price", "reduce_only", "subaccount")
        fields = Fields(item, report, what="a resting order", known=keys)
        named = fields.require("market", "like `BTC-USD`")
        side = fields.required("side", choice("buy", "sell"), "`buy` or `sell`")
        size = fields.required("size", amounts.positive, "coins")
        price = fields.required("price", amounts.positive, "dollars")
        market = markets.get(named.text) if isinstance(named, Word) else None
        if isinstance(named, Word) and market is None:
            report.refuse(
                named, f"`{named.text}`: unknown market, {did_you_mean(named.text, markets)}"
            )
        if market is None or size is None or price is None or side is None:
            continue
        if size.value is None or price.value is None or side.value is None:
            continue
        orders.append(
            RestingOrder(
                subaccount=fields.value("subaccount", literals.count, 0),
                ticker=market.ticker,
                side=Side.BUY if side.value == "buy" else Side.SELL,
                quantums=BaseQuantums(quantums(market, size.value)),
                subticks=_subticks(market, price.value),
                client_id=number,
                order_flags=RESTS,
                reduce_only=fields.value("reduce_only", literals.flag, _no()),
                good_til_block_time=RESTS_UNTIL,
            )
        )
    return tuple(orders)


def _no() -> bool:
    return False


def quantums(market: Market, coins: Decimal) -> int:
    """Signed base quantums of a size in coins, cut to whole steps toward zero."""
    size = round_down(int(abs(coins).scaleb(-market.atomic_resolution)), market.step_base_quantums)
    return size if coins >= 0 else -size


def _subticks(market: Market, dollars: Decimal) -> Subticks:
    shift = market.atomic_resolution - market.quantum_conversion_exponent + 6
    return Subticks(max(1, round_down(int(dollars.scaleb(shift)), market.subticks_per_tick)))
