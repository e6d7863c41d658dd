"""What the chain takes of a plan's orders: it judges each fill alone, as it comes (MARGIN.md 2.5).

A fill that leaves a subaccount below its initial margin is refused whole where it lowers NC/MMR,
and what is left of its order with it. Orders of one plan may come in any sequence, and cash that is
under way may land after them: so those that cost more margin than they free are judged first, and
no cash counts. Where no fresh book is seen, or the state is old (only a panic acts on it), nobody
knows at which price an order fills, or what the oracle is by then: it goes out whole, and the chain
has its say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from seawall import margin, units, words
from seawall.account import BookLevel, Market, Missing, Side, Subaccount
from seawall.action import Plan, Refusal, RefusalCode
from seawall.margin import Risk
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import pricing
from seawall.plan.demand import Slot
from seawall.plan.trial import Trial
from seawall.units import PPM_ONE, BaseQuantums, Millis, QuoteQuantums, Subticks

STATE_AGE_MOST = Millis(10_000)
NEAR = PPM_ONE  # a dollar above initial margin: more than all fills of a plan are rounded by


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order to close, and the levels that it is expected to meet."""

    slot: Slot
    market: Market
    side: Side
    quantums: int  # > 0
    levels: tuple[BookLevel, ...]
    fee_ppm: int

    def fills(self) -> Iterator[BookLevel]:
        """What it meets, level by level, in whole steps."""
        left = self.quantums
        for level in self.levels:
            size = units.round_down(min(left, level.quantums), self.market.step_base_quantums)
            if size:
                yield BookLevel(level.subticks, BaseQuantums(size))
                left -= size

    @property
    def last(self) -> Subticks | None:
        """The worst price that it may meet; None where nothing is met."""
        left, found = self.quantums, None
        for level in self.levels:
            if left <= 0:
                break
            found = level.subticks
            left -= (
                level.quantums // self.market.step_base_quantums * self.market.step_base_quantums
            )
        return found


def accepted(paper: Trial) -> Trial:
    """The paper account with no more cut of each position than the chain takes."""
    cuts = dict(paper.cuts)
    for number in sorted({slot[0] for slot, cut in cuts.items() if cut}):
        orders = [
            Order(
                slot=slot,
                market=quote.market,
                side=quote.side,
                quantums=cuts[slot],
                levels=quote.levels,
                fee_ppm=quote.fee_ppm,
            )
            for slot, quote in paper.quotes.items()
            if slot[0] == number and cuts.get(slot) and quote.is_seen
        ]
        cuts |= refused(paper.before, number, orders)
    return paper if cuts == paper.cuts else replace(paper, cuts=cuts)


def cut_back(wanted: Trial, taken: Trial) -> Iterator[Refusal]:
    """What `accepted` has taken from the cuts of a paper account."""
    for slot, cut in sorted(wanted.cuts.items()):
        if taken.cut_of(slot) < cut:
            quote = wanted.quotes[slot]
            size = words.coins(quote.market.coins(BaseQuantums(cut)))
            yield Refusal(
                code=RefusalCode.CHAIN_REFUSES,
                what=f"{quote.side.lower()} {slot[0]}/{slot[1]} in full",
                detail=f"{size} wanted; {why(taken, slot)}",
            )


def why(paper: Trial, slot: Slot) -> str:
    """Why the chain takes no more of a position than is cut on paper."""
    market, now = paper.quotes[slot].market, paper.before.risks[slot[0]]
    assert not isinstance(now, NoData)
    size = words.coins(market.coins(BaseQuantums(paper.cut_of(slot))))
    return (
        f"the chain takes {size} at these prices: more costs more than the margin that it frees, "
        f"with {words.dollars(units.usd(now.nc))} of collateral"
    )


def orders_of(view: View, made: Plan) -> Mapping[int, Sequence[Order]]:
    """A plan's orders by subaccount with the levels they would meet; none without a fresh book."""
    found: dict[int, list[Order]] = {}
    for leg in made.legs:
        book = pricing.fresh_book(view.observation, leg.ticker)
        if book is None:
            continue
        order = Order(
            slot=(leg.subaccount, leg.ticker),
            market=view.observation.markets[leg.ticker],
            side=leg.side,
            quantums=leg.quantums,
            levels=pricing.levels_for(book, leg.side, leg.worst_subticks),
            fee_ppm=view.observation.taker_fee_ppm,
        )
        found.setdefault(leg.subaccount, []).append(order)
    return found


def refused(view: View, number: int, orders: Sequence[Order]) -> Mapping[Slot, int]:
    """By position, how much the chain takes of each order that it does not take whole.

    Nothing is refused of a subaccount that cannot be valued: the chain has its say.
    """
    now, account = view.risks[number], view.observation.subaccount(number)
    is_old = view.observation.seen_at - view.observation.at > STATE_AGE_MOST
    if isinstance(now, NoData) or now.imr is None or is_old:
        return {}
    if now.nc >= now.imr + NEAR and not any(_is_dear(one, account) for one in orders):
        return {}
    found: dict[Slot, int] = {}
    freed = {order.slot: _freed(now, account, order) for order in orders}
    for order in sorted(orders, key=lambda one: (freed[one.slot], one.slot)):
        now, taken = _filled(now, account, order)
        expected = sum(fill.quantums for fill in order.fills())
        if taken < expected:
            found[order.slot] = taken
    return found


def _is_dear(order: Order, account: Subaccount) -> bool:
    """Whether a dollar closed at the last price may cost more than the margin that it frees."""
    if order.last is None:
        return False
    parts, whole = pricing.oracle_subticks(order.market).as_integer_ratio()
    last = order.last * whole
    cost_ppm = order.side.sign * (last - parts) * PPM_ONE + last * order.fee_ppm  # x parts
    return cost_ppm > _imf_ppm(account, order.market) * parts


def _imf_ppm(account: Subaccount, market: Market) -> int:
    custom = account.custom_imf_ppm
    assert not isinstance(custom, Missing)  # the initial margin is known
    return margin.effective_imf_ppm(market, custom.get(market.ticker, 0))


def _freed(now: Risk, account: Subaccount, order: Order) -> int:
    """What an order alone frees of collateral, < 0 where it costs more."""
    held = _held(account, order)
    for fill in order.fills():
        now, held = _after(now, account, order, held, fill)
    assert now.imr is not None
    return now.nc - now.imr


def _filled(now: Risk, account: Subaccount, order: Order) -> tuple[Risk, int]:
    """Margins after an order has filled as far as the chain takes it, and how far that is."""
    held, taken, step = _held(account, order), 0, order.market.step_base_quantums
    for fill in order.fills():
        after, left = _after(now, account, order, held, fill)
        if margin.judge_update(now, after) is margin.Update.SUCCESS:
            now, held, taken = after, left, taken + fill.quantums
            continue
        few, many = 0, fill.quantums // step  # steps that are taken, and that are not
        while many - few > 1:
            middle = (few + many) // 2
            part = BookLevel(fill.subticks, BaseQuantums(middle * step))
            after, _ = _after(now, account, order, held, part)
            if margin.judge_update(now, after) is margin.Update.SUCCESS:
                few = middle
            else:
                many = middle
        if few:
            part = BookLevel(fill.subticks, BaseQuantums(few * step))
            now, _ = _after(now, account, order, held, part)
        return now, taken + few * step
    return now, taken


def _held(account: Subaccount, order: Order) -> int:
    position = account.position(order.market.ticker)
    return 0 if position is None else position.quantums


def _after(
    now: Risk, account: Subaccount, order: Order, held: int, fill: BookLevel
) -> tuple[Risk, int]:
    """Margins and signed size after one fill."""
    market, left = order.market, held + order.side.sign * fill.quantums
    paid = units.fill_quote(fill.subticks, fill.quantums, market.quantum_conversion_exponent)
    fee = units.fee_quote(paid, order.fee_ppm)
    old, new = margin.notional(market, held), margin.notional(market, left)
    imf = _imf_ppm(account, market)
    assert now.imr is not None
    return (
        Risk(
            nc=QuoteQuantums(now.nc + new - old - order.side.sign * paid - fee),
            imr=QuoteQuantums(now.imr + units.ppm_up(abs(new), imf) - units.ppm_up(abs(old), imf)),
            mmr=QuoteQuantums(
                now.mmr
                + margin.maintenance_requirement(market, abs(new))
                - margin.maintenance_requirement(market, abs(old))
            ),
        ),
        left,
    )
