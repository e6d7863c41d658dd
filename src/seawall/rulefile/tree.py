"""YAML text as a tree of words with their places; nothing is typed here and nothing resolved.

Every scalar stays the text that was written: `0123`, `no`, `12:30` and `1e3` mean what the schema
says. Anchors, aliases, tags, directives and second documents are refused, so a file reads the
same to a person and to the guard. YAML syntax errors carry the parser's place and a remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from seawall.rulefile.report import Place, Report

SIZE_MAX = 1_000_000  # characters; a rule file is a few thousand
DEPTH_MAX = 32  # tables and lists within each other; a rule file needs eight

# As YAML counts lines: `str.splitlines` knows more of them.
LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Place):
    """One scalar, as text; an alias was refused where it stands and has none."""

    text: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Place):
    """A sequence."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key and its value."""

    key: Word
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Place):
    """A mapping; keys are unique, in the order of the file."""

    entries: tuple[Entry, ...]


Node = Word | Listing | Table


def kind_of(node: Node) -> str:
    """What a node is, in words for a refusal."""
    match node:
        case Word(text=""):
            return "nothing"
        case Word():
            return f"`{node.text}`"
        case Listing():
            return "a list"
        case Table():
            return "a table of keys"
        case _:
            assert_never(node)


@dataclass(slots=True)
class _Open:
    """A collection being read; `key` waits for its value in a mapping."""

    place: Place
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    key: Word | None = None
    has_bad_key: bool = False  # the key was refused, its value is read and dropped

    def close(self) -> Node:
        if self.is_mapping:
            return Table(
                line=self.place.line, column=self.place.column, entries=tuple(self.entries)
            )
        return Listing(line=self.place.line, column=self.place.column, items=tuple(self.items))


class _Builder:
    """Events to a tree, with what a rule file does not use refused on the way."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._open: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    @property
    def depth(self) -> int:
        """How many tables and lists are open."""
        return len(self._open)

    def take(self, event: Event) -> None:
        place = _place(event.start_mark)
        match event:
            case DocumentStartEvent():
                self._start_document(event, place)
            case AliasEvent():
                self._report.refuse(place, f"`*{event.anchor}`: aliases are not used, write it out")
                self._put(Word(line=place.line, column=place.column, text="", is_refused=True))
            case ScalarEvent():
                self._refuse_decorations(event, place)
                text = str(event.value).strip()
                self._put(Word(line=place.line, column=place.column, text=text))
            case MappingStartEvent() | SequenceStartEvent():
                self._refuse_decorations(event, place)
                self._open.append(
                    _Open(place=place, is_mapping=isinstance(event, MappingStartEvent))
                )
            case MappingEndEvent() | SequenceEndEvent():
                self._put(self._open.pop().close())
            case _:
                pass

    def _start_document(self, event: DocumentStartEvent, place: Place) -> None:
        self.documents += 1
        if self.documents == 2:
            self._report.refuse(place, "`---`: a second document, a rule file holds one")
        if event.version is not None and tuple(event.version) != (1, 2):
            self._report.refuse(place, "`%YAML`: rule files are YAML 1.2")

    def _refuse_decorations(self, event: NodeEvent, place: Place) -> None:
        if event.anchor is not None:
            self._report.refuse(place, f"`&{event.anchor}`: anchors are not used")
        tag = getattr(event, "ctag", None)
        if tag is not None:
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._report.refuse(place, f"`{shown}`: tags are not used, every word has its type")

    def _put(self, node: Node) -> None:
        if not self._open:
            if self.root is None:
                self.root = node
            return
        top = self._open[-1]
        if not top.is_mapping:
            top.items.append(node)
        elif top.key is None and not top.has_bad_key:
            self._put_key(top, node)
        else:
            if top.key is not None:
                top.entries.append(Entry(key=top.key, value=node))
            top.key, top.has_bad_key = None, False

    def _put_key(self, top: _Open, node: Node) -> None:
        if not isinstance(node, Word):
            self._report.refuse(node, f"{kind_of(node)} as a key, a word is expected")
            top.has_bad_key = True
            return
        first = next((e.key for e in top.entries if e.key.text == node.text), None)
        if first is not None:
            self._report.refuse(
                node, f"`{node.text}`: written twice, first in line {first.line}; keep one"
            )
            top.has_bad_key = True
            return
        top.key = node


# The parser lets bare errors through, for an escape beyond Unicode for one, and a text that it
# cannot read is the operator's to mend, whatever it raised.
_PARSER_SLIPS = (
    YAMLError,
    YAMLStreamError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def read_tree(text: str, report: Report) -> Node | None:
    """The tree of a YAML text; None where it could not be read, the report says why."""
    if len(text) > SIZE_MAX:
        report.refuse(Place(), f"{len(text)} characters, at most {SIZE_MAX} are read")
        return None
    builder = _Builder(report)
    try:
        for event in _events(text):
            builder.take(event)
            if builder.depth > DEPTH_MAX:
                place = _place(event.start_mark)
                report.refuse(place, f"nested more than {DEPTH_MAX} deep, no rule is")
                return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if _has_no_colon(error):
            mark = error.context_mark  # where the key stands; the parser noticed a line later
        report.refuse(_place(mark), f"not YAML: {_with_remedy(error, text)}")
        return None
    except _PARSER_SLIPS as error:
        report.refuse(_place_of_unprintable(text), f"not YAML: {_first_line(error)}")
        return None
    if builder.root is None or (isinstance(builder.root, Word) and not builder.root.text):
        report.refuse(Place(), "the file is empty, at least `rules:` is expected")
        return None
    return builder.root


def _events(text: str) -> Iterator[Event]:
    yield from YAML(typ="safe", pure=True).parse(text)


def _place(mark: StringMark | None) -> Place:
    return Place() if mark is None else Place(line=mark.line + 1, column=mark.column + 1)


def _place_of_unprintable(text: str) -> Place:
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        for column, character in enumerate(line, start=1):
            if not character.isprintable() and character != "\t":
                return Place(line=number, column=column)
    return Place()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _has_no_colon(error: MarkedYAMLError) -> bool:
    return "could not find expected ':'" in str(error.problem)


def _with_remedy(error: MarkedYAMLError, text: str) -> str:
    """The parser's complaint with what most likely has to be written instead."""
    complaint = str(error.problem or error.context or "cannot be read")
    mark = error.context_mark or error.problem_mark
    lines = LINE_BREAK.split(text)
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    character = line[mark.column] if mark is not None and mark.column < len(line) else ""
    if "block scalar" in str(error.context) or ("'>'" in complaint or character == ">"):
        return f'{complaint}; a bound that begins with > is quoted: `trigger: "> 12%"`'
    if "alias" in str(error.context):
        return f'{complaint}; every market is written with quotes: `"*"`'
    if "\\t" in complaint:
        return f"{complaint}; indent with spaces, not tabs"
    if "'%'" in complaint or "'@'" in complaint or "'`'" in complaint:
        return f"{complaint}; put the word in quotes"
    if "<scalar>" in complaint:
        return f"{complaint}; a quote before it is not closed, or not by its like"
    if "or ']'" in complaint or "or '}'" in complaint:
        return f"{complaint}; a [ or {{ before it is not closed"
    if _has_no_colon(error):
        return f"{complaint}; a key ends with a colon and a space: `why: ...`"
    if "mapping values are not allowed" in complaint:
        return f"{complaint}; a sentence with a colon is quoted, a key is indented like its rule"
    return complaint
