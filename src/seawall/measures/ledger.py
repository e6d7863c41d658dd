"""Wealth over time, adjusted for flows; changes that no record explains (RULES.md section 2).

There is one series per subaccount, keyed by its number, and one for the account, keyed "". A change
that neither transfers nor fills explain stops the series of its subaccount until it is explained:
a withdrawal that the indexer has not shown yet is no drawdown.

Everything is a plain value: a ledger is stored with the decision that it served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seawall import units
from seawall.account import Missing, Observation, Transfer
from seawall.errors import MissingParameter
from seawall.measures import prices, series
from seawall.measures.doubt import Holding, Unexplained, doubt_of, hold, is_excused, recent
from seawall.measures.series import Series, Turn
from seawall.units import MINUTE, Millis, Ppm, QuoteQuantums

ACCOUNT = ""  # key of the account's own series
PAGE_AFTER = Millis(5 * MINUTE)
ACCOUNTED_MOST = 64


class LedgerEventKind(StrEnum):
    """What the ledger has to say to a person."""

    FLOW = "flow"
    UNEXPLAINED = "unexplained"
    STILL_UNEXPLAINED = "still_unexplained"
    EXPLAINED = "explained"
    SERIES_ENDED = "series_ended"
    SERIES_BEGUN = "series_begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """One thing that happened to the NAV; `amount` in quote quantums, what came in is > 0."""

    kind: LedgerEventKind
    key: str  # subaccount number, or "" for the account
    amount: QuoteQuantums
    text: str

    @property
    def pages(self) -> bool:
        """Whether a person must look now."""
        return self.kind in (
            LedgerEventKind.STILL_UNEXPLAINED,
            LedgerEventKind.SERIES_ENDED,
            LedgerEventKind.SERIES_BEGUN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All series of one owner, and what is needed to carry them to the next observation."""

    at: Millis
    height: int
    series: Mapping[str, Series]
    holdings: Mapping[str, Holding]  # by subaccount number
    unexplained: Mapping[str, Unexplained] = field(default_factory=dict)  # likewise
    lately: Mapping[str, Unexplained] = field(default_factory=dict)  # all changes, for a while
    accounted: tuple[Transfer, ...] = ()
    accounted_to: int = 0  # height; transfers at or below it are accounted for

    def doubt(self, key: str) -> Unexplained | None:
        """The unexplained change that stops a series; None where all is explained."""
        if not self.unexplained:
            return None
        if key != ACCOUNT:
            return self.unexplained.get(key)
        # A move between two guarded subaccounts nets to nothing: the account is not in doubt.
        doubts = self.unexplained.values()
        if is_excused(sum(d.residual for d in doubts), sum(d.traded for d in doubts)):
            return None
        return max(doubts, key=lambda doubt: abs(doubt.residual))


def rebase(ledger: Ledger) -> Ledger:
    """The operator's word: the peak is the NAV now, and what was unexplained was a flow."""
    residuals = {key: doubt.residual for key, doubt in ledger.unexplained.items()}
    worth = {key: holding.worth for key, holding in ledger.holdings.items()}
    residuals[ACCOUNT] = sum(residuals.values())
    worth[ACCOUNT] = QuoteQuantums(sum(worth.values()))
    return replace(
        ledger,
        series={
            key: series.rebased(series.accept(one, residuals.get(key, 0)), worth[key], ledger.at)
            for key, one in ledger.series.items()
        },
        holdings={
            key: replace(holding, since=holding.height) for key, holding in ledger.holdings.items()
        },
        unexplained={},
        lately={},
    )


def advance(
    ledger: Ledger | None, observation: Observation, *, price_band: Ppm
) -> tuple[Ledger, tuple[LedgerEvent, ...]]:
    """The ledger after one observation, and what a person should hear of it.

    A subaccount that cannot be valued (a price of zero, a parameter missing) keeps its last entry
    until it can. While an oracle price is outside the band of a fresh book no NAV is taken.
    """
    if ledger is None:
        ledger = Ledger(at=observation.at, height=observation.height, series={}, holdings={})
    before = ledger.holdings
    holdings = dict(_hold_all(before, observation))
    valued = {key: one for key, one in holdings.items() if one.height == observation.height}
    taken = _new_transfers(ledger, observation, frozenset(valued))
    flows: Counter[str] = Counter()
    for transfer in taken:
        flows[str(transfer.subaccount)] += transfer.amount
    events = [_flow_event(transfer) for transfer in taken]
    doubts = {key: d for key, d in ledger.unexplained.items() if key in holdings}
    lately: dict[str, Unexplained] = {}
    for key in valued.keys() & before.keys():
        old = doubts.pop(key, None)
        change = recent(ledger.lately.get(key), before[key], valued[key], observation)
        doubt = doubt_of(old, change, before[key], valued[key], observation, flow=flows[key])
        if change is not None:
            lately[key] = replace(change, moved=change.moved - flows[key])
        if doubt is not None:
            doubt, said = _said(key, old, doubt, observation.seen_at)
            doubts[key] = doubt
            events.extend(said)
        elif old is not None:
            events.append(_explained(key, old))
    accounted, accounted_to = _remember(ledger, taken)
    after = Ledger(
        at=observation.at,
        height=observation.height,
        series={},
        holdings=holdings,
        unexplained=doubts,
        lately=lately,
        accounted=accounted,
        accounted_to=accounted_to,
    )
    carried, turns = _carry_all(ledger, after, observation, flows, price_band)
    return replace(after, series=carried), (*events, *turns)


def _hold_all(
    before: Mapping[str, Holding], observation: Observation
) -> Iterator[tuple[str, Holding]]:
    """Every subaccount as it is now, or as it was where it cannot be valued; new ones join."""
    for subaccount in observation.subaccounts:
        key = str(subaccount.number)
        old = before.get(key)
        try:
            yield key, hold(subaccount, old, observation)
        except MissingParameter:
            if old is not None:
                yield key, old


def _new_transfers(
    ledger: Ledger, observation: Observation, valued: frozenset[str]
) -> tuple[Transfer, ...]:
    """Transfers of guarded subaccounts that this state contains and no unit accounts for yet.

    A move between two subaccounts counts on both sides, whichever of them the records show. The
    other side tells no transfer from another: it is known only once it is guarded.
    """
    records = observation.advice.transfers
    if isinstance(records, Missing):
        return ()
    recent = [t for t in records if ledger.accounted_to < t.height <= observation.height]
    if not recent:
        return ()
    written = Counter(map(_one_sided, recent))
    for transfer, count in Counter(recent).items():
        if transfer.counterpart is not None:
            mirrored = Transfer(
                subaccount=transfer.counterpart,
                amount=QuoteQuantums(-transfer.amount),
                height=transfer.height,
            )
            written[mirrored] = max(written[mirrored], count)
    written.subtract(Counter(map(_one_sided, ledger.accounted)))
    new = []
    for transfer, count in written.items():
        holding = ledger.holdings.get(str(transfer.subaccount))
        if holding is None or str(transfer.subaccount) not in valued:
            continue
        if transfer.height > holding.since:
            new.extend([transfer] * count)
    return tuple(new)


def _one_sided(transfer: Transfer) -> Transfer:
    return replace(transfer, counterpart=None)


def _remember(ledger: Ledger, taken: Sequence[Transfer]) -> tuple[tuple[Transfer, ...], int]:
    """Transfers accounted for, the newest of them one by one, and the height of all others."""
    if not taken:
        return ledger.accounted, ledger.accounted_to
    every = sorted((*ledger.accounted, *taken), key=lambda transfer: transfer.height)
    dropped = every[:-ACCOUNTED_MOST]
    if not dropped:
        return tuple(every), ledger.accounted_to
    upto = dropped[-1].height
    return tuple(t for t in every if t.height > upto), upto


def _carry_all(
    ledger: Ledger,
    after: Ledger,
    observation: Observation,
    flows: Mapping[str, int],
    price_band: Ppm,
) -> tuple[dict[str, Series], list[LedgerEvent]]:
    """Every series after the observation, with what ended or began."""
    carried: dict[str, Series] = {}
    events: list[LedgerEvent] = []
    joined, believed = 0, True
    for key, holding in after.holdings.items():
        old = ledger.series.get(key)
        if old is None:
            joined += holding.worth
            carried[key] = series.begin(holding.worth, after.at)
            continue
        if holding.height != after.height:
            believed = False
            carried[key] = old
            continue
        doubtful = prices.unreliable(observation, (p.ticker for p in holding.positions), price_band)
        believed = believed and doubtful is None
        doubt = after.doubt(key)
        carried[key], turn = series.carry(
            old,
            equity=holding.worth,
            flow=flows.get(key, 0),
            residual=0 if doubt is None else doubt.residual,
            believed=doubtful is None,
            at=after.at,
        )
        if len(after.holdings) > 1:
            events.extend(_turn_event(key, turn, holding.worth))
    whole, turns = _carry_account(
        ledger, after, observation, flow=sum(flows.values()) + joined, believed=believed
    )
    return carried | whole, events + turns


def _carry_account(
    ledger: Ledger, after: Ledger, observation: Observation, *, flow: int, believed: bool
) -> tuple[dict[str, Series], list[LedgerEvent]]:
    """The series of the whole account; `flow` is what came in, new subaccounts and all."""
    worth = QuoteQuantums(sum(holding.worth for holding in after.holdings.values()))
    left = sum(h.worth for key, h in ledger.holdings.items() if key not in after.holdings)
    old = ledger.series.get(ACCOUNT)
    if old is None:
        is_whole = len(after.holdings) == len(observation.subaccounts)
        return ({ACCOUNT: series.begin(worth, after.at)} if is_whole else {}), []
    doubt = after.doubt(ACCOUNT)
    carried, turn = series.carry(
        old,
        equity=worth,
        flow=flow - left,
        residual=0 if doubt is None else sum(d.residual for d in after.unexplained.values()),
        believed=believed,
        at=after.at,
    )
    return {ACCOUNT: carried}, list(_turn_event(ACCOUNT, turn, worth))


def _said(
    key: str, old: Unexplained | None, doubt: Unexplained, seen_at: Millis
) -> tuple[Unexplained, tuple[LedgerEvent, ...]]:
    """The doubt with what was said of it marked, and what is to be said now."""
    lead = f"subaccount {key}: {_moved(doubt.residual)} and no transfer or fill record explains it"
    amount = QuoteQuantums(doubt.residual)
    if old is None:
        text = f"{lead}; drawdown and other profit-and-loss measures are on hold until one does"
        event = LedgerEvent(kind=LedgerEventKind.UNEXPLAINED, key=key, amount=amount, text=text)
        return doubt, (event,)
    if doubt.is_paged or seen_at - doubt.since < PAGE_AFTER:
        return doubt, ()
    text = (
        f"{lead} for 5 minutes; profit-and-loss rules stay on hold. "
        "If it was you, `seawall rebase` takes it as a deposit or withdrawal"
    )
    event = LedgerEvent(kind=LedgerEventKind.STILL_UNEXPLAINED, key=key, amount=amount, text=text)
    return replace(doubt, is_paged=True), (event,)


def _explained(key: str, old: Unexplained) -> LedgerEvent:
    return LedgerEvent(
        kind=LedgerEventKind.EXPLAINED,
        key=key,
        amount=QuoteQuantums(old.residual),
        text=f"subaccount {key}: records now explain that {_moved(old.residual)}",
    )


def _flow_event(transfer: Transfer) -> LedgerEvent:
    key = str(transfer.subaccount)
    return LedgerEvent(
        kind=LedgerEventKind.FLOW,
        key=key,
        amount=transfer.amount,
        text=f"subaccount {key}: {_moved(transfer.amount)} at height {transfer.height}",
    )


def _turn_event(key: str, turn: Turn, worth: int) -> tuple[LedgerEvent, ...]:
    name = f"subaccount {key}" if key else "the account"
    if turn is Turn.CARRIED:
        return ()
    dollars = f"${units.usd(worth):,.2f}"
    kind = LedgerEventKind.SERIES_BEGUN
    text = f"{name}: a new NAV series begins with {dollars}"
    if turn is Turn.ENDED:
        kind = LedgerEventKind.SERIES_ENDED
        text = f"{name}: equity is {dollars}; its NAV series ends and drawdown stays at 100%"
    return (LedgerEvent(kind=kind, key=key, amount=QuoteQuantums(worth), text=text),)


def _moved(amount: int) -> str:
    return f"${units.usd(abs(amount)):,.2f} {'came in' if amount >= 0 else 'left'}"
