"""Rules as they were read, with the place of every part, before anyone asked whether they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seawall.measures.spec import Measure
from seawall.policy import (
    Bound,
    Do,
    Flatten,
    Latch,
    Lock,
    MeasureRef,
    Mode,
    NoDataMode,
    Notify,
    Page,
    ReduceAmount,
    ReduceUntil,
    Scope,
)
from seawall.rulefile.fields import Found
from seawall.rulefile.report import Place
from seawall.units import Millis, Ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class DoDraft:
    """The actions of one level; `is_whole` is false where one of them was refused."""

    place: Place
    actions: tuple[Found[Do], ...] = ()
    has_bare_flatten: bool = False
    is_whole: bool = True

    def __iter__(self) -> Iterator[tuple[Place, Do]]:
        return ((a.place, a.value) for a in self.actions if a.value is not None)

    @property
    def acts(self) -> bool:
        """Whether anything in it does more than send messages."""
        return any(not isinstance(do, Notify | Page) for _, do in self)

    @property
    def largest_slippage(self) -> Ppm | None:
        """The loosest cap of its reductions; None where nothing reduces."""
        caps = [
            do.max_slippage
            for _, do in self
            if isinstance(do, ReduceUntil | ReduceAmount | Flatten | Lock)
        ]
        return max(caps, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDraft:
    """One level as written; None is not written, a Found without value was refused."""

    place: Place
    name: str
    do: DoDraft
    trigger: Found[Bound] | None = None
    target: Found[Bound] | None = None
    clear: Found[Bound] | None = None
    hold: Millis = Millis(0)
    clear_hold: Found[Millis] | None = None
    cooldown: Found[Millis] | None = None
    latch: Found[Latch] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """One rule as written; `measure` is None where it was refused."""

    place: Place
    id: str
    why: str
    measure: Measure | None
    measure_ref: MeasureRef | None
    measure_place: Place
    scope: Scope | None
    levels: tuple[LevelDraft, ...]
    no_data: Found[NoDataMode] | None = None
    mode: Mode | None = None
