"""The rule file: YAML text to Policy, with every fault of a file said at once and at its place.

tree       text to words with line and column; nothing typed
literals   `12%`, `$9_000`, `60bps`, `3h`, `>= 12%`
fields     tables with a strict schema
rules, actions, blocks, scenarios   what may be written, as drafts
checks, whole   whether the parts agree
build      drafts to rules, with their defaults
canonical  the digest that a rule set is armed under
changes    two policies in words
reach      held markets that no rule reaches
"""

from __future__ import annotations

from seawall.rulefile.canonical import canonical_text, digest
from seawall.rulefile.changes import differences, in_words
from seawall.rulefile.fields import Known
from seawall.rulefile.load import Loaded, load, parse
from seawall.rulefile.reach import book_allowed, unknown_names, warnings_for
from seawall.rulefile.report import CONSEQUENCE

__all__ = [
    "CONSEQUENCE",
    "Known",
    "Loaded",
    "book_allowed",
    "canonical_text",
    "differences",
    "digest",
    "in_words",
    "load",
    "parse",
    "unknown_names",
    "warnings_for",
]
