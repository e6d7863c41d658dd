"""Fixes of found-by-simulation.md taken back one at a time: a replay must need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import limits
from seawall.account import Market, Observation
from seawall.action import Reduce, Refusal, RefusalCode
from seawall.decide import outcome, stalled, telling, watch
from seawall.decide.draft import Draft
from seawall.decide.memory import Memory, Message, PageState, TopUpSent
from seawall.decide.watch import Credits, Watched
from seawall.journal import codec
from seawall.journal.store import Entry
from seawall.limits.refusing import refuse
from seawall.plan.demand import Demand
from seawall.policy import Mode, Policy
from seawall.storm import referee
from seawall.storm.fuse import FusedJournal
from seawall.storm.model import Model
from seawall.storm.purse import Purse
from seawall.storm.stops import StopWatch
from seawall.units import PPM_ONE, Millis, QuoteQuantums


def infinity_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """A usage without equity is written, and refused when it is read back."""

    def finite(value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError("finite number expected")
        return value

    patch.setattr(codec, "_a_number", finite)
    patch.setattr(codec, "_codecs", {})


def rows_are_written_one_by_one(patch: pytest.MonkeyPatch) -> None:
    """A guard may die between a tick's row and the rows that belong to it."""
    whole = FusedJournal.append_all

    def one_by_one(
        journal: FusedJournal,
        entries: Sequence[Entry],
        *,
        durable: bool = False,
        at: Millis | None = None,
    ) -> int:
        return [whole(journal, (one,), durable=durable, at=at) for one in entries][-1]

    patch.setattr(FusedJournal, "append_all", one_by_one)


def a_clear_level_is_forgotten_while_its_intervention_runs(patch: pytest.MonkeyPatch) -> None:
    """The cooldown of an intervention that ends in that tick has nowhere to be noted."""
    kept = watch.step_alarms

    def forgetting(
        memory: Memory,
        watched: tuple[Watched, ...],
        draft: Draft,
        *,
        passed: Credits,
        at: Millis,
        mode: Mode,
    ) -> Memory:
        stepped = kept(memory, watched, draft, passed=passed, at=at, mode=mode)
        alarms = {
            key: held
            for key, held in stepped.alarms.items()
            if held.highest is not None or any(one.cooled_at > at for one in held.levels)
        }
        return replace(stepped, alarms=alarms)

    patch.setattr(watch, "step_alarms", forgetting)


def what_gets_no_further_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """A goal is wanted for ever, and nobody hears why it is not reached."""
    patch.setattr(stalled, "pages", lambda *_: ())
    patch.setattr(telling, "out_of_budget", lambda *_: ())


def only_the_recipient_tells_of_a_deposit(patch: pytest.MonkeyPatch) -> None:
    """A deposit whose half went in costs of the fills beside it counts as failed."""
    landed = outcome._has_landed

    def richer(sent: TopUpSent, seen: Observation) -> bool:
        return landed(replace(sent, float_before=QuoteQuantums(0)), seen)

    patch.setattr(outcome, "_has_landed", richer)


def a_far_mid_leaves_no_room_for_slippage(patch: pytest.MonkeyPatch) -> None:
    """The last gate adds band and slippage, where the planner takes one of the other."""
    judged = limits._judge_price

    def added(action: Reduce, market: Market, policy: Policy) -> Refusal | None:
        slack = 2 * limits.slippage_most(policy) + policy.price_band
        off = market.dollars(action.subticks) / market.oracle_dollars - 1
        if off * action.side.sign * PPM_ONE > slack:
            return refuse(action, RefusalCode.PRICE_OUTSIDE_BOUND, f"off by {off}")
        return judged(action, market, policy)

    patch.setattr(limits, "_judge_price", added)


def a_page_about_a_budget_falls_between_two_windows(patch: pytest.MonkeyPatch) -> None:
    """It is told again in each, and in between nobody is told."""
    told = telling.out_of_budget

    def anew(
        refusals: Iterable[Refusal],
        demands: Iterable[Demand],
        _: Mapping[str, PageState],
        seen: Observation,
    ) -> Iterator[Message]:
        return told(refusals, demands, {}, seen)

    patch.setattr(telling, "out_of_budget", anew)


def the_model_comes_back_without_credits(patch: pytest.MonkeyPatch) -> None:
    """After a restart the model counts a hold anew that the guard had written down."""
    patch.setattr(Model, "_at", lambda *_: None)


def the_first_exposure_of_an_hour_is_its_base(patch: pytest.MonkeyPatch) -> None:
    """The judge's budget does not follow a book that grew within the hour, as the guard's does."""
    saw = Purse.saw

    def keeping(purse: Purse, seen: Observation) -> None:
        before = dict(purse._gross)
        saw(purse, seen)
        purse._gross.update(before)

    patch.setattr(Purse, "saw", keeping)


def what_is_new_was_always_held(patch: pytest.MonkeyPatch) -> None:
    """The judge lets a lock want nothing of a position that nobody has held before."""
    saw = Purse.saw

    def keeping(purse: Purse, seen: Observation) -> None:
        before = set(purse._sizes)
        saw(purse, seen)
        fresh = {slot: most for slot, (_, most) in purse._sizes.items() if slot not in before}
        purse._sizes.update({slot: (most, most) for slot, most in fresh.items()})

    patch.setattr(Purse, "saw", keeping)


def a_pause_holds_against_the_tick_that_obeys_a_panic(patch: pytest.MonkeyPatch) -> None:
    """The judge holds a guard to a pause that the operator's panic has just ended."""
    patch.setattr(referee, "is_panic", lambda _: False)


def a_stop_that_went_off_unseen_is_as_good_as_none(patch: pytest.MonkeyPatch) -> None:
    """The judge forgets that a successor may go off before its guard sees it."""
    patch.setattr(StopWatch, "_went_off_lately", lambda *_: False)
