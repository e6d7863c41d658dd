"""The `rules:` list: each rule and its levels, as drafts (RULES.md section 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from seawall.decide import panic
from seawall.measures import MEASURES
from seawall.measures.spec import Measure, Per
from seawall.policy import Bound, MeasureRef, Mode, NoDataMode, Scope
from seawall.rulefile import literals
from seawall.rulefile.actions import ACTIONS, read_do
from seawall.rulefile.draft import DoDraft, LevelDraft, RuleDraft
from seawall.rulefile.fields import (
    Fields,
    Found,
    Known,
    choice,
    market,
    read,
    subaccount,
    words_of,
)
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Place, Report, did_you_mean, nearest
from seawall.rulefile.tree import Listing, Node, Table, Word, kind_of
from seawall.scenario import ANY_MARKET
from seawall.units import Millis

RULE_KEYS = ("id", "why", "measure", "scope", "no_data", "mode")
SCOPE_KEYS = ("per", "markets", "except", "subaccounts")
LEVEL_KEYS = (
    "name", "trigger", "target", "clear", "for", "clear_for", "cooldown", "latch", "do",
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_IN_DO = {
    **dict.fromkeys(ACTIONS, "an action, write it in the list `do`"),
    **dict.fromkeys(
        ("until", "amount", "max_slippage", "or_else", "give_up_after"),
        "belongs to an action of `do`, like {reduce: {until: target, max_slippage: 60bps}}",
    ),
}
_NOT_OF_THE_RULE = {
    **dict.fromkeys(
        ("enabled", "disabled", "active"),
        "a rule is on while it stands here; `mode: dry-run` keeps it on paper",
    ),
    "per": "belongs to `scope`, like `scope: {per: account}`",
    "subaccounts": "belongs to `scope`, like `scope: {subaccounts: [0]}`",
    "markets": "belongs to `scope`, like `scope: {markets: [BTC-USD]}`",
    "except": "belongs to `scope`, like `scope: {except: [BTC-USD]}`",
    **_IN_DO,
}
_OF_THE_RULE = {
    **dict.fromkeys((*RULE_KEYS, *SCOPE_KEYS), "belongs to the rule, not to a level"),
    **_IN_DO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What rules stand on: the scenarios of the file, and names that exist."""

    scenarios: frozenset[str]
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """What `measure:` says; after a misspelling, what was most likely meant."""

    place: Place
    ref: MeasureRef | None
    measure: Measure | None


def read_rules(node: Node, ground: Ground, report: Report) -> tuple[RuleDraft, ...]:
    """Every rule of the list as far as it can be read; ids are refused the second time."""
    if not isinstance(node, Listing):
        report.refuse(
            node, f"{kind_of(node)}: `rules` is a list of rules, each begins with `- id:`"
        )
        return ()
    if not node.items:
        report.refuse(node, "`rules`: empty, a guard without rules guards nothing")
    drafts = []
    first: dict[str, int] = {}
    for item in node.items:
        draft = _read_rule(item, ground, report)
        if draft.id and draft.id in first:
            report.refuse(
                draft.place,
                f"`{draft.id}`: a second rule with this id, first in line {first[draft.id]}",
            )
        if draft.id == panic.KEY:
            report.refuse(
                draft.place, f"`{panic.KEY}`: the name of `seawall panic`, give the rule another"
            )
        first.setdefault(draft.id, draft.place.line)
        drafts.append(draft)
    return tuple(drafts)


def _with_scenario(text: str) -> str:
    """The hint for a scenario that is joined to its measure, as rule tests write it."""
    name, _, scenario = re.sub(r"[./: ]+", "/", text).partition("/")
    measure = MEASURES.get(name)
    if measure is None or not measure.needs_scenario or not scenario:
        return ""
    return f"did you mean {{{name}: {scenario}}}?"


def _read_rule(node: Node, ground: Ground, report: Report) -> RuleDraft:
    known = (*RULE_KEYS, *LEVEL_KEYS, "levels")
    fields = Fields(node, report, what="this rule", known=known, elsewhere=_NOT_OF_THE_RULE)
    identity = fields.required("id", _name, "every alert and every `rearm` names the rule by it")
    why = fields.required("why", _sentence, "one sentence that every alert shows")
    watched = _read_measure(fields, ground)
    place = node if identity is None else identity.place
    return RuleDraft(
        place=place,
        id="" if identity is None or identity.value is None else identity.value,
        why="" if why is None or why.value is None else why.value,
        measure=watched.measure,
        measure_ref=watched.ref,
        measure_place=watched.place,
        scope=_read_scope(fields, watched.measure, ground.known),
        levels=_read_levels(fields, watched.measure),
        no_data=fields.read("no_data", _no_data),
        mode=fields.value("mode", _mode, None),
    )


def _read_measure(fields: Fields, ground: Ground) -> _Watched:
    report = fields.report
    node = fields.require("measure", "what the rule watches, like `drawdown`")
    nothing = _Watched(place=node or fields.place, ref=None, measure=None)
    match node:
        case None:
            return nothing
        case Word():
            name, scenario = node, None
        case Table(entries=(entry,)) if isinstance(entry.value, Word):
            name, scenario = entry.key, entry.value
        case _:
            report.refuse(
                node, f"{kind_of(node)}: one measure, like `drawdown` or {{fatal_move: SCENARIO}}"
            )
            return nothing
    measure = MEASURES.get(name.text)
    if measure is None:
        hint = _with_scenario(name.text) or did_you_mean(name.text, MEASURES)
        report.refuse(name, f"`{name.text}`: unknown measure, {hint}")
        meant = nearest(name.text, MEASURES)
        return _Watched(place=node, ref=None, measure=MEASURES.get(meant or ""))
    if scenario is None and measure.needs_scenario:
        report.refuse(
            name,
            f"`{name.text}`: names a scenario, like {{{name.text}: "
            f"{min(ground.scenarios, default='twin-gap')}}}",
        )
    elif scenario is not None and not measure.needs_scenario:
        report.refuse(scenario, f"`{scenario.text}`: {name.text} takes no scenario")
    elif scenario is not None and scenario.text not in ground.scenarios:
        report.refuse(
            scenario,
            f"`{scenario.text}`: unknown scenario, "
            f"{did_you_mean(scenario.text, sorted(ground.scenarios))}",
        )
    ref = MeasureRef(name=name.text, scenario=None if scenario is None else scenario.text)
    return _Watched(place=node, ref=ref, measure=measure)


def _read_scope(fields: Fields, measure: Measure | None, known: Known) -> Scope | None:
    """What the rule watches; None where its measure is not known."""
    report = fields.report
    node = fields.node("scope")
    if node is None:
        return None if measure is None else Scope(per=measure.per[0])
    inner = Fields(node, report, what="`scope`", known=SCOPE_KEYS)
    markets = _read_markets(inner, "markets", known)
    excluded = _read_markets(inner, "except", known) or ()
    if markets and not set(markets) - set(excluded):
        report.refuse(inner.place_of("except"), "`except`: leaves no market in scope")
    subaccounts = _read_subaccounts(inner, known)
    if measure is None:
        return None
    per = inner.value("per", partial(_per, measure), measure.per[0])
    return Scope(per=per, markets=markets, excluded=excluded, subaccounts=subaccounts)


def _read_markets(fields: Fields, key: str, known: Known) -> tuple[str, ...] | None:
    """Names of markets; None is all of them, or not written."""
    node = fields.node(key)
    if node is None or (key == "markets" and isinstance(node, Word) and node.text == ANY_MARKET):
        return None
    words = words_of(node, fields.report, key)
    if isinstance(node, Listing) and not node.items and key == "markets":
        fields.report.refuse(node, '`markets`: empty, nothing is in scope; `"*"` is all')
    if key == "markets" and any(word.text == ANY_MARKET for word in words):
        if len(words) > 1:
            fields.report.refuse(node, '`"*"`: is every market, name the others no more')
        return None
    return tuple(market(word, fields.report, known) for word in words)


def _read_subaccounts(fields: Fields, known: Known) -> tuple[int, ...] | None:
    node = fields.node("subaccounts")
    if node is None or (isinstance(node, Word) and node.text == ANY_MARKET):
        return None
    words = words_of(node, fields.report, "subaccounts")
    if isinstance(node, Listing) and not node.items:
        fields.report.refuse(node, '`subaccounts`: empty, nothing is in scope; `"*"` is all')
    numbers = (subaccount(word, fields.report, known) for word in words)
    return tuple(number for number in numbers if number is not None)


def _read_levels(fields: Fields, measure: Measure | None) -> tuple[LevelDraft, ...]:
    """The rungs of a ladder, or the one level written on the rule itself."""
    report = fields.report
    node = fields.node("levels")
    if node is None:
        return (_read_whole_level(fields, measure),) if fields.is_readable else ()
    for key in LEVEL_KEYS:
        if fields.has(key):
            report.refuse(
                fields.place_of(key), f"`{key}`: belongs to a level, since this rule has `levels`"
            )
    _read_level(fields, measure)  # what stands beside them has to be right where it goes, too
    if not isinstance(node, Listing) or not node.items:
        like = ", like `- {name: watch, ...}`" if isinstance(node, Table) else ""
        report.refuse(node, f"{kind_of(node)}: `levels` is a list of levels, mildest first{like}")
        return ()
    levels = []
    first: dict[str, int] = {}
    for item in node.items:
        inner = Fields(item, report, what="this level", known=LEVEL_KEYS, elsewhere=_OF_THE_RULE)
        inner.require("name", "like `watch`, `act` or `panic`")
        level = _read_whole_level(inner, measure)
        if inner.has("name") and level.name in first:
            report.refuse(
                inner.place_of("name"),
                f"`{level.name}`: a second level with this name, first in line {first[level.name]}",
            )
        first.setdefault(level.name, item.line)
        levels.append(level)
    return tuple(levels)


def _read_whole_level(fields: Fields, measure: Measure | None) -> LevelDraft:
    fields.require("trigger", 'when it fires, like ">= 12%"')
    fields.require("do", "what it does, like [notify]")
    return _read_level(fields, measure)


def _read_level(fields: Fields, measure: Measure | None) -> LevelDraft:
    """One level; unnamed ones are called `act` if they act and `watch` if they only speak."""
    node = fields.node("do")
    do = (
        DoDraft(place=fields.place, is_whole=False)
        if node is None
        else read_do(node, fields.report)
    )
    return LevelDraft(
        place=fields.place,
        name=fields.value("name", _name, "act" if do.acts else "watch"),
        do=do,
        trigger=_read_bound(fields, "trigger", measure),
        target=_read_bound(fields, "target", measure),
        clear=_read_bound(fields, "clear", measure),
        hold=fields.value("for", literals.wait, Millis(0)),
        clear_hold=fields.read("clear_for", literals.wait),
        cooldown=fields.read("cooldown", literals.wait),
        latch=fields.read("latch", literals.latch),
    )


def _read_bound(fields: Fields, key: str, measure: Measure | None) -> Found[Bound] | None:
    node = fields.node(key)
    if node is None:
        return None
    if measure is None:
        return Found(place=node, value=None)
    return read(node, partial(literals.bound, unit=measure.unit), fields.report, key)


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        plain = "-".join(re.findall(r"[A-Za-z0-9_.-]+", text, re.ASCII))
        hint = f", did you mean `{plain}`?" if _NAME.fullmatch(plain) else ""
        raise LiteralError(
            f"`{text}`: a name is letters, digits, `-`, `_` and `.`, at most 64{hint}"
        )
    return text


def _sentence(text: str) -> str:
    if not text:
        raise LiteralError("`why`: empty, one sentence that every alert shows is expected")
    sentence = " ".join(text.split())
    if not sentence.isprintable():
        raise LiteralError("`why`: holds a control character")
    return sentence


def _per(measure: Measure, text: str) -> Per:
    if text not in measure.per:
        allowed = did_you_mean(text, measure.per)
        raise LiteralError(f"`{text}`: {measure.name} is not told per {text}, {allowed}")
    return Per(text)


def _no_data(text: str) -> NoDataMode:
    return NoDataMode(choice(*NoDataMode)(text))


def _mode(text: str) -> Mode | None:
    if text != Mode.DRY_RUN:
        raise LiteralError(
            f"`{text}`: a rule can only be kept on paper, `dry-run`; `run --live` makes it live"
        )
    return Mode.DRY_RUN
