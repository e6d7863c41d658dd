"""What is wrong with a file, collected: reading goes on after a fault and nothing raises early."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from seawall.errors import Problem, RuleFileError

MESSAGE_MAX = 400  # characters
LIKENESS_LEAST = 0.6
LIKE_ENOUGH = 0.65  # below it the first letter must agree: `BTC` means BTC-USD, `ignore` no `fire`
MEANT = {  # what traders say for words that the rule file has others for
    "alert": "notify", "warn": "notify", "message": "notify", "call": "page", "wake": "page",
    "sell": "reduce", "trim": "reduce", "cut": "reduce", "close": "flatten", "exit": "flatten",
    "liquidate": "flatten", "deposit": "top_up", "freeze": "lock",
    "dd": "drawdown", "pnl": "day_loss", "daily_loss": "day_loss", "stress": "stress_headroom",
    "liquidation": "liq_move", "liq_distance": "liq_move", "funding": "funding_24h",
    "exposure": "gross_exposure", "margin": "margin_usage", "collateral": "free_collateral",
    "liquidation_price": "liq_move", "liq_price": "liq_move", "email": "notify", "sms": "page",
    "wait": "hold", "in": "over", "time": "at", "when": "at", "fires": "firing", "title": "name",
    "qty": "size", "price": "oracle", "long": "buy", "short": "sell", "yes": "true", "on": "true",
    "no": "false", "off": "false",
}  # fmt: skip
CONSEQUENCE = "Not loaded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line and a column, both from 1."""

    line: int = 1
    column: int = 1


class Report:
    """Problems and warnings of one file, in order of lines."""

    def __init__(self, file: str, consequence: str = CONSEQUENCE) -> None:
        self.file = file
        self.consequence = consequence
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def refuse(self, place: Place, message: str) -> None:
        """Note a fault: the file will not load."""
        self._problems.append(self._at(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note something that loads and that the operator should know."""
        self._warnings.append(self._at(place, message))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings in order of lines."""
        return _in_order(self._warnings)

    @property
    def has_problems(self) -> bool:
        """Whether the file is refused."""
        return bool(self._problems)

    def raise_problems(self) -> None:
        """Raise RuleFileError with every fault, if there is one."""
        if self._problems:
            raise RuleFileError(_in_order(self._problems), self.consequence)

    def _at(self, place: Place, message: str) -> Problem:
        return Problem(
            file=self.file, line=place.line, column=place.column, message=_fit_to_print(message)
        )


def _fit_to_print(message: str) -> str:
    """A message that quotes the file, without its control characters and its endless words."""
    shown = message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column)))


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was most likely meant; None where none is close."""
    by_folded = {each.casefold(): each for each in allowed}
    meant = MEANT.get(word.casefold())
    if meant in by_folded:
        return meant
    folded = word.casefold()
    for close in difflib.get_close_matches(folded, list(by_folded), n=1, cutoff=LIKENESS_LEAST):
        likeness = difflib.SequenceMatcher(None, close, folded).ratio()
        if likeness >= LIKE_ENOUGH or close[0] == folded[0]:
            return by_folded[close]
    return None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`did you mean ...?`, or the whole choice where no word is close."""
    choice = tuple(allowed)
    close = nearest(word, choice)
    if close is not None:
        return f"did you mean `{close}`?"
    if not choice:
        return "there is none in this file"
    return "allowed: " + ", ".join(f"`{each}`" for each in choice)
