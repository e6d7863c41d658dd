"""What must hold of one action at the moment it goes out, judged by what its guard saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from seawall.account import Blind, Missing, Observation, Seen
from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.policy import Flatten, Lock, Policy, ReduceAmount, ReduceUntil
from seawall.storm.case import Case
from seawall.storm.stops import StopVerdicts, may_go
from seawall.units import quote_up

Complaint = tuple[str, str]
WINDOW = 6  # blocks
AHEAD = 3  # blocks that an order needs to arrive
LIFE = 8  # blocks from a need to the end of the order that it leads to
FRESH_MS = 10_000
GAP_MS = 60_000  # a block gap beyond it is a halt
HALT_BLOCKS = 20
NEAR_PPM = 30_000  # a book mid this near the oracle says that it lives
BOOK_AGE_MS = 3_000
MILLION = 1_000_000
LEAST_TOP_UP = 10 * MILLION
TIMEOUT_BLOCKS = 20
PANIC_SLIPPAGE_PPM = 40_000  # 200 bps, doubled once


class Verdicts:
    """Judges the actions of all guards of one case."""

    def __init__(self, case: Case) -> None:
        self._policy = case.policy
        self._stops = StopVerdicts(case.policy)
        self._slippage_ppm = 2 * _slippage_most(case.policy)
        self._bodies: dict[tuple[str, int, str, int], Reduce] = {}
        self._tick: dict[str, tuple[int, dict[tuple[int, str], int]]] = {}
        self._deposits: dict[str, TopUp] = {}
        self._last: dict[str, Observation] = {}
        self._halts: dict[str, Observation] = {}
        self._standbys = {
            f"guard {number}" for number, one in enumerate(case.guards, start=1) if one.is_standby
        }

    def saw(self, guard: str, seen: Observation) -> None:
        """A guard has looked: a halt of the chain begins to be over with what it saw."""
        before = self._last.get(guard)
        if before is not None and seen.at - before.at > GAP_MS:
            self._halts[guard] = seen
        self._last[guard] = seen

    def of(
        self, guard: str, action: Action, seen: Seen, asked_by: Sequence[str]
    ) -> Iterator[Complaint]:
        """Everything that is wrong with an action of whoever asked for it."""
        if isinstance(seen, Blind):
            yield "blind", f"sends {action} without state"
            return
        self.saw(guard, seen)
        acts = isinstance(action, Reduce | TopUp) and not is_panic(asked_by)
        if acts and guard in self._standbys:
            yield from self._in_turn(guard, action, seen)
        match action:
            case Reduce():
                yield from self._reduce(guard, action, seen, by_panic=is_panic(asked_by))
            case TopUp():
                yield from self._top_up(guard, action, seen)
            case Backstop():
                yield from self._stops.of(guard, action, seen)
                if self._is_resuming(guard, action.ticker, seen):
                    yield "halt", f"a stop in {action.ticker} before the oracle moved after a halt"
            case Cancel():
                yield from self._cancel(action, seen)

    def _in_turn(self, guard: str, action: Action, seen: Observation) -> Iterator[Complaint]:
        """A standby is not to act soon after an order that filled and was not its own."""
        fills = seen.advice.fills
        for fill in () if isinstance(fills, Missing) else fills:
            market = seen.markets.get(fill.ticker)
            if market is None or not seen.height - LIFE < fill.height <= seen.height:
                continue
            window = fill.height // WINDOW
            ours = _id(seen, fill.subaccount, market.clob_pair_id, window)
            is_own = (guard, fill.subaccount, fill.ticker, window) in self._bodies
            if fill.client_id == ours and not is_own:
                yield "standby", f"{action} at {seen.height}, the first filled at {fill.height}"

    def _reduce(
        self, guard: str, action: Reduce, seen: Observation, *, by_panic: bool
    ) -> Iterator[Complaint]:
        what = f"{action.side} {action.quantums} {action.subaccount}/{action.ticker}"
        market = seen.markets[action.ticker]
        position = seen.subaccount(action.subaccount).position(action.ticker)
        held = 0 if position is None else position.quantums
        height, totals = self._tick.get(guard, (0, {}))
        if height != seen.height:
            totals = {}
        slot = (action.subaccount, action.ticker)
        totals[slot] = totals.get(slot, 0) + action.quantums
        self._tick[guard] = (seen.height, totals)
        if held == 0 or (held > 0) == (action.side.sign > 0) or totals[slot] > abs(held):
            yield "grows", f"{what} from a position of {held}, {totals[slot]} in this tick"
        if action.quantums <= 0 or action.quantums % market.step_base_quantums:
            yield "step", f"{what} is off the step {market.step_base_quantums}"
        if abs(seen.seen_at - seen.at) > FRESH_MS and not by_panic:
            yield "stale", f"{what} on state of {seen.seen_at - seen.at} ms ago"
        if self._is_resuming(guard, action.ticker, seen) and not by_panic:
            yield "halt", f"{what} before the oracle moved after a halt"
        if action.ticker in self._policy.hands_off.markets:
            yield "hands off", what
        oracle, price = market.oracle_dollars, market.dollars(action.subticks)
        slippage = max(self._slippage_ppm, PANIC_SLIPPAGE_PPM) if by_panic else self._slippage_ppm
        worst = oracle  # from a mid at the edge of the band
        for ppm in (self._policy.price_band, slippage):
            worst += worst * action.side.sign * ppm / MILLION
        if (price - worst) * action.side.sign > 0:
            yield "price", f"{what} at {price}, oracle {oracle}"
        yield from self._window(guard, action, seen)

    def _window(self, guard: str, action: Reduce, seen: Observation) -> Iterator[Complaint]:
        """One id per subaccount, market and window; one body per guard."""
        window = (seen.height + 1) // WINDOW
        expected = _id(seen, action.subaccount, action.clob_pair_id, window)
        last = (window + 1) * WINDOW - 1
        if (action.client_id, action.good_til_block) != (expected, last):
            yield "id", f"{action.client_id} until {action.good_til_block} in window {window}"
        if last - seen.height < AHEAD:
            yield "late", f"sent at {seen.height} for a window that ends at {last}"
        key = (guard, action.subaccount, action.ticker, window)
        if self._bodies.setdefault(key, action) != action:
            yield "two bodies", f"{action} after {self._bodies[key]}"

    def _is_resuming(self, guard: str, ticker: str, seen: Observation) -> bool:
        halt = self._halts.get(guard)
        if halt is None or seen.height - halt.height >= HALT_BLOCKS:
            return False
        market = seen.markets[ticker]
        if market.oracle_price != halt.markets[ticker].oracle_price:
            self._halts.pop(guard) if len(seen.markets) == 1 else None
            return False
        book = seen.advice.books.get(ticker)
        if book is None or book.mid_twice is None:
            return True
        mid = market.dollars(book.mid_twice) / 2
        return abs(mid / market.oracle_dollars - 1) * MILLION > NEAR_PPM

    def _top_up(self, guard: str, action: TopUp, seen: Observation) -> Iterator[Complaint]:
        what = f"deposits {action.amount} into {action.subaccount}"
        wallet, source = seen.float_wallet, self._policy.float_source
        if wallet is None or source is None:
            yield "float", f"{what} without a wallet"
            return
        if abs(seen.seen_at - seen.at) > FRESH_MS:
            yield "stale", f"{what} on state of {seen.seen_at - seen.at} ms ago"
        if action.amount < LEAST_TOP_UP:
            yield "dust", what
        if wallet.balance - action.amount < quote_up(source.floor):
            yield "floor", f"{what} from a wallet of {wallet.balance}"
        if seen.transfers_blocked_until.get(action.subaccount, 0) > seen.height:
            yield "gate", f"{what} against the gate"
        if action.sequence != wallet.sequence or action.timeout_height != (
            seen.height + TIMEOUT_BLOCKS
        ):
            yield "envelope", f"{what}: sequence {action.sequence}, until {action.timeout_height}"
        before = self._deposits.get(guard)
        is_alive = before is not None and (
            wallet.sequence == before.sequence and seen.height < before.timeout_height
        )
        if is_alive:
            yield "two deposits", f"{what} while another may land"
        self._deposits[guard] = action

    def _cancel(self, action: Cancel, seen: Observation) -> Iterator[Complaint]:
        """No order that only reduces is cancelled while its position stands."""
        orders = seen.advice.orders
        same = () if isinstance(orders, Missing) else orders
        target = next(
            (
                o
                for o in same
                if (o.subaccount, o.client_id, o.order_flags)
                == (action.subaccount, action.client_id, action.order_flags)
            ),
            None,
        )
        if target is None:
            yield "cancel", f"cancels {action.client_id}, which does not rest"
            return
        position = seen.subaccount(action.subaccount).position(action.ticker)
        held = 0 if position is None else position.quantums
        is_left = may_go(action, seen, self._policy)
        if target.reduce_only and held * target.side.sign < 0 and not is_left:
            yield "cancel", f"cancels the reduce-only {action.client_id} of a position of {held}"


def _id(seen: Observation, subaccount: int, clob_pair_id: int, window: int) -> int:
    words = f"{seen.chain_id}|{seen.owner}|{subaccount}|{clob_pair_id}|{window}"
    return int(sha256(words.encode()).hexdigest()[:8], 16)


def is_panic(asked_by: Sequence[str]) -> bool:
    """Whether it is the operator's panic that asks."""
    return any(name.startswith("panic/") for name in asked_by)


def _slippage_most(policy: Policy) -> int:
    bounds = [0]
    for rule in policy.rules:
        for level in rule.levels:
            for do in level.do:
                if isinstance(do, ReduceAmount | ReduceUntil | Flatten | Lock):
                    bounds.append(do.max_slippage)
                other = getattr(do, "or_else", None)
                if isinstance(other, ReduceAmount | Flatten):
                    bounds.append(other.max_slippage)
    return max(bounds)
