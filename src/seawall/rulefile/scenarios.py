"""Scenarios and the caps derived from them (RULES.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from seawall.rulefile import literals
from seawall.rulefile.blocks import choice_of
from seawall.rulefile.fields import Fields, Known, is_ticker, market, read
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Report, did_you_mean, nearest
from seawall.rulefile.tree import Entry, Node, Table, Word, kind_of
from seawall.scenario import ANY_MARKET, DerivedCaps, Scenario
from seawall.units import PPM_ONE, Millis, Ppm

_SETTINGS = ("over", "slippage", "both_signs")
_SHOCK_MOST = Ppm(10 * PPM_ONE)  # a price times eleven


def scenario_names(node: Node | None) -> frozenset[str]:
    """Names written in the block, also of scenarios that will be refused."""
    if not isinstance(node, Table):
        return frozenset()
    return frozenset(entry.key.text for entry in node.entries)


def read_scenarios(node: Node, report: Report, known: Known) -> dict[str, Scenario]:
    """Every scenario by name."""
    if not isinstance(node, Table):
        report.refuse(node, f"{kind_of(node)}: `scenarios` is a table from names to shocks")
        return {}
    return {entry.key.text: _read_scenario(entry, report, known) for entry in node.entries}


def _read_scenario(entry: Entry, report: Report, known: Known) -> Scenario:
    name, node = entry.key.text, entry.value
    shocked = [e for e in _entries(node) if _is_market(e)]
    keys = (*_SETTINGS, *(e.key.text for e in shocked))
    fields = Fields(node, report, what=f"scenario `{name}`", known=keys)
    both_signs = fields.value("both_signs", literals.flag, Scenario(name="", shocks={}).both_signs)
    shocks: dict[str, Ppm] = {}
    for each in shocked:
        if each.key.text != ANY_MARKET:
            market(each.key, report, known)
        found = read(each.value, partial(_shock, mirrored=both_signs), report, each.key.text)
        shocks[each.key.text] = Ppm(0) if found.value is None else found.value
    if not shocks and fields.is_readable:
        report.refuse(
            entry.key, f'`{name}`: a scenario without its own markets; name one, or `"*"` for all'
        )
    return Scenario(
        name=name,
        shocks=shocks,
        slippage=fields.value("slippage", _scenario_slippage, Ppm(0)),
        over=fields.value("over", literals.wait, Millis(0)),
        both_signs=both_signs,
    )


def _entries(node: Node) -> tuple[Entry, ...]:
    return node.entries if isinstance(node, Table) else ()


def _is_market(entry: Entry) -> bool:
    """Whether a key of a scenario names a market; `Fields` refuses what is neither."""
    text = entry.key.text
    return text == ANY_MARKET or is_ticker(text) or _looks_like_market(text, entry.value)


def _looks_like_market(text: str, value: Node) -> bool:
    """Whether a word that is no setting was meant as a market: `btc-usd`, `BTC`, `btc: -10%`."""
    if text in _SETTINGS:
        return False
    if text.isupper() or text.lower().endswith("-usd"):
        return True
    is_shock = isinstance(value, Word) and value.text.endswith("%")
    return is_shock and nearest(text, _SETTINGS) is None


def _shock(text: str, *, mirrored: bool) -> Ppm:
    move = literals.ppm(text)
    if move < -PPM_ONE:
        raise LiteralError(f"`{text}`: a price cannot fall by more than 100%")
    if mirrored and move > PPM_ONE:
        raise LiteralError(f"`{text}`: with `both_signs` a move is at most 100%")
    if move > _SHOCK_MOST:
        raise LiteralError(f"`{text}`: a move of at most 1_000% is expected")
    return move


def _scenario_slippage(text: str) -> Ppm:
    cost = literals.basis_points(text)
    if not 0 <= cost < PPM_ONE:
        raise LiteralError(f"`{text}`: at least 0bps and below 100% is expected")
    return cost


def read_limits(
    node: Node, report: Report, known: Known, scenarios: Mapping[str, Scenario]
) -> DerivedCaps | None:
    """Caps from the worst acceptable loss; None where there are none or they were refused."""
    fields = Fields(node, report, what="`limits`", known=("max_drawdown", "derive_caps"))
    most = fields.read("max_drawdown", literals.share)
    inner = fields.node("derive_caps")
    if inner is None:
        if most is not None:
            report.warn(most.place, "`max_drawdown` alone caps nothing, add `derive_caps`")
        return None
    if most is None:
        report.refuse(
            fields.place_of("derive_caps"), "`derive_caps`: needs `max_drawdown` beside it"
        )
    derived = Fields(inner, report, what="`derive_caps`", known=("scenario", "share"))
    named = derived.required(
        "scenario", choice_of(frozenset(scenarios)), "whose shocks the caps must survive"
    )
    table = derived.require("share", 'of the loss per market, like {BTC-USD: 40%, "*": 10%}')
    scenario = None if named is None or named.value is None else scenarios[named.value]
    shares = {} if table is None else _read_shares(table, report, known, scenario)
    if most is None or most.value is None or scenario is None:
        return None
    return DerivedCaps(max_drawdown=most.value, scenario=scenario.name, shares=shares)


def _read_shares(
    node: Node, report: Report, known: Known, scenario: Scenario | None
) -> dict[str, Ppm]:
    if not isinstance(node, Table) or not node.entries:
        report.refuse(node, f'{kind_of(node)}: `share` is a table like {{BTC-USD: 40%, "*": 10%}}')
        return {}
    shares: dict[str, Ppm] = {}
    for entry in node.entries:
        name = entry.key.text
        if name != ANY_MARKET:
            market(entry.key, report, known)
        found = read(entry.value, literals.share, report, name)
        if found.value is not None:
            shares[name] = found.value
        if scenario is not None:
            _refuse_unshocked(entry, scenario, report)
    explicit = sum(share for name, share in shares.items() if name != ANY_MARKET)
    if explicit > PPM_ONE:
        total = f"{Decimal(explicit).scaleb(-4).normalize():f}%"
        report.refuse(node, f"`share`: explicit shares add up to {total}, at most 100% is there")
    return shares


def _refuse_unshocked(entry: Entry, scenario: Scenario, report: Report) -> None:
    """A cap divides by shock plus slippage: each market with a share needs one of them."""
    name = entry.key.text
    if name not in scenario.shocks and ANY_MARKET not in scenario.shocks:
        hint = did_you_mean(name, scenario.shocks)
        report.refuse(
            entry.key, f"`{name}`: scenario `{scenario.name}` says nothing about it, {hint}"
        )
    elif scenario.shock(name) == 0 and scenario.slippage == 0:
        report.refuse(
            entry.key, f"`{name}`: does not move in scenario `{scenario.name}`, no cap follows"
        )
