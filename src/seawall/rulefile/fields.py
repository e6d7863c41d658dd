"""Tables with a strict schema: every key is known, read once by its literal, or refused.

A misspelt key is refused and its value still read as the key that was meant, so that one typo
does not hide the faults behind it nor invent others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Place, Report, did_you_mean, nearest
from seawall.rulefile.tree import Entry, Listing, Node, Table, Word, kind_of

T = TypeVar("T")

_TICKER = re.compile(r"[A-Z0-9$][^\s`]*-USD", re.ASCII)
_TICKER_LENGTH_MAX = 128
SUBACCOUNT_MAX = 128_000  # MARGIN.md section 3.1
_QUOTED_IN = re.compile(r"[-_/]?(USD[CT]?)?(-PERP)?$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """What was written for a key: its place, and its value unless that was refused."""

    place: Place
    value: T | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Names that exist, where the caller can tell; None is not known and nothing is refused."""

    markets: frozenset[str] | None = None
    subaccounts: frozenset[int] | None = None
    owner: str | None = None  # of the guarded account


NOTHING_KNOWN = Known()


class Fields:
    """The keys of one table; `what` names it in refusals."""

    def __init__(
        self,
        node: Node,
        report: Report,
        *,
        what: str,
        known: tuple[str, ...],
        elsewhere: Mapping[str, str] | None = None,  # keys that belong in another place, and why
        like: str = "",  # the whole as it is written; without it the keys are named
    ) -> None:
        self.report = report
        self.place: Place = node
        self.what = what
        self._entries: dict[str, Entry] = {}
        self.is_readable = isinstance(node, Table)
        if not isinstance(node, Table):
            keys = "with the keys " + ", ".join(f"`{key}`" for key in known)
            written = f"like {like}" if like else keys
            report.refuse(node, f"{kind_of(node)}: {what} is a table {written}")
            return
        self._take(node, known, elsewhere or {})

    def _take(self, table: Table, known: tuple[str, ...], elsewhere: Mapping[str, str]) -> None:
        written = {entry.key.text for entry in table.entries}
        for entry in table.entries:
            key = entry.key.text
            if key in known:
                self._entries[key] = entry
                continue
            if key in elsewhere:
                self.report.refuse(entry.key, f"`{key}`: {elsewhere[key]}")
                continue
            meant = nearest(key, (*known, *elsewhere))
            hint = did_you_mean(key, known)
            if key.isdecimal():
                hint = "a comma ends what stands in braces; digits are grouped by `_`, as in 3_000"
            if meant is not None and meant in elsewhere:
                hint = f"did you mean `{meant}` ({elsewhere[meant]})?"
            self.report.refuse(entry.key, f"`{key}`: unknown key, {hint}")
            if meant in known and meant not in written:
                self._entries.setdefault(meant, entry)

    def has(self, key: str) -> bool:
        """Whether the key is written."""
        return key in self._entries

    def place_of(self, key: str) -> Place:
        """Where a key is written; the table's own place where it is not."""
        entry = self._entries.get(key)
        return self.place if entry is None else entry.key

    def node(self, key: str) -> Node | None:
        """The node of a key; None where it is not written."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def require(self, key: str, why: str) -> Node | None:
        """The node of a key, refused with `why` where it is not written."""
        node = self.node(key)
        if node is None and self.is_readable:
            self.report.refuse(self.place, f"`{key}`: missing in {self.what}; {why}")
        return node

    def read(self, key: str, literal: Callable[[str], T]) -> Found[T] | None:
        """What is written for a key, read by a literal; None where it is not written."""
        node = self.node(key)
        return None if node is None else read(node, literal, self.report, key)

    def value(self, key: str, literal: Callable[[str], T], default: T) -> T:
        """The value of a key, the default where it is not written or was refused."""
        found = self.read(key, literal)
        return default if found is None or found.value is None else found.value

    def required(self, key: str, literal: Callable[[str], T], why: str) -> Found[T] | None:
        """What is written for a key, refused with `why` where nothing is."""
        return self.read(key, literal) if self.require(key, why) is not None else None


def read(node: Node, literal: Callable[[str], T], report: Report, key: str) -> Found[T]:
    """One word read by its literal; the report says why where it could not be."""
    if not isinstance(node, Word):
        report.refuse(node, f"{kind_of(node)}: `{key}` takes one word")
        return Found(place=node, value=None)
    if node.is_refused:
        return Found(place=node, value=None)
    try:
        return Found(place=node, value=literal(node.text))
    except LiteralError as error:
        shown = str(error).replace("``: ", f"`{key}`: ", 1)
        report.refuse(node, shown)
        return Found(place=node, value=None)


def choice(*allowed: str) -> Callable[[str], str]:
    """A literal that is one of these words."""

    def literal(text: str) -> str:
        if text not in allowed:
            raise LiteralError(
                f"`{text}`: not one of the words there are, {did_you_mean(text, allowed)}"
            )
        return text

    return literal


def words_of(node: Node, report: Report, key: str) -> tuple[Word, ...]:
    """The words of a list; what is not one is refused."""
    if isinstance(node, Word) and node.text == "*":
        like = "[0]" if key == "subaccounts" else "[BTC-USD]"
        report.refuse(node, f'`"*"`: `{key}` names each, in a list like {like}')
        return ()
    if not isinstance(node, Listing):
        shown = f"[{node.text}]" if isinstance(node, Word) and node.text else "[...]"
        report.refuse(node, f"{kind_of(node)}: `{key}` takes a list, like {shown}")
        return ()
    words: list[Word] = []
    for item in node.items:
        if isinstance(item, Word) and item.text:
            if item.text in (word.text for word in words):
                report.refuse(item, f"`{item.text}`: twice in `{key}`")
            words.append(item)
        else:
            report.refuse(item, f"{kind_of(item)}: a word is expected in `{key}`")
    return tuple(words)


def is_ticker(text: str) -> bool:
    """Whether a word can be the name of a market."""
    return len(text) <= _TICKER_LENGTH_MAX and _TICKER.fullmatch(text) is not None


def market(word: Word, report: Report, known: Known) -> str:
    """A market's name, refused where no venue could have it or the venue has not."""
    if word.text == "*":
        report.refuse(word, '`"*"`: a market is named here, like `BTC-USD`')
    elif known.markets is not None and word.text not in known.markets:
        hint = which_market(word.text, known.markets)
        report.refuse(word, f"`{word.text}`: the venue has no such market, {hint}")
    elif "*" in word.text:
        report.refuse(word, f"`{word.text}`: a market is named whole, like `BTC-USD`")
    elif not is_ticker(word.text):
        meant = _QUOTED_IN.sub("", word.text.upper()) + "-USD"
        hint = f", did you mean `{meant}`?" if is_ticker(meant) else ""
        report.refuse(word, f"`{word.text}`: a market is named like `BTC-USD`{hint}")
    return word.text


def which_market(text: str, markets: Collection[str]) -> str:
    """The market that was most likely meant; `-USD`, which all share, makes none more likely."""
    by_coin = {ticker.removesuffix("-USD"): ticker for ticker in sorted(markets)}
    close = nearest(text.split("-", maxsplit=1)[0], by_coin)
    if close is not None:
        return f"did you mean `{by_coin[close]}`?"
    some = ", ".join(f"`{ticker}`" for ticker in sorted(markets)[:5])
    return f"there are {some}{', …' if len(markets) > 5 else ''}"


def subaccount(word: Word, report: Report, known: Known) -> int | None:
    """A subaccount's number; None where it was refused."""
    if not word.text.isascii() or not word.text.isdecimal() or len(word.text) > 6:
        report.refuse(word, f"`{word.text}`: a subaccount is a number like `0` or `128`")
        return None
    number = int(word.text)
    if number > SUBACCOUNT_MAX:
        report.refuse(word, f"`{word.text}`: the chain's last subaccount is {SUBACCOUNT_MAX}")
    elif known.subaccounts is not None and number not in known.subaccounts:
        there = tuple(str(each) for each in sorted(known.subaccounts))
        hint = "there are " + ", ".join(f"`{each}`" for each in there)
        report.refuse(word, f"`{word.text}`: the account has no such subaccount, {hint}")
    return number
