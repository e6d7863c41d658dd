"""A rule file from text to Policy: read everything, say everything that is wrong, load or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seawall.errors import Problem, RuleFileError
from seawall.policy import Budget, FloatSource, HandsOff, Interlock, Policy
from seawall.rulefile import blocks, literals
from seawall.rulefile.build import rule_of
from seawall.rulefile.canonical import digest
from seawall.rulefile.checks import check_rule
from seawall.rulefile.draft import RuleDraft
from seawall.rulefile.fields import NOTHING_KNOWN, Fields, Known
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import CONSEQUENCE, Place, Report
from seawall.rulefile.rules import LEVEL_KEYS, Ground, read_rules
from seawall.rulefile.scenarios import read_limits, read_scenarios, scenario_names
from seawall.rulefile.tree import SIZE_MAX, Node, read_tree
from seawall.rulefile.whole import check_against_blocks, warn_of_gaps
from seawall.scenario import Buffer, Caps, Scenario

KEYS: Final = (
    "version", "account", "equity", "caps", "limits", "scenarios", "backstop", "price_band",
    "budgets", "interlocks", "rules",
)  # fmt: skip
ELSEWHERE: Final = {
    **dict.fromkeys(
        ("tests", "require"), "this belongs in a file of rule tests, see `seawall test`"
    ),
    "mode": "this belongs to a rule; for all of them it is `run --dry-run` or `run --live`",
    "buffer": "belongs to `equity`, write `equity: {buffer: $3_000}`",
    "child_buffer": "belongs to `equity`, write `equity: {child_buffer: $500}`",
    "float": "belongs to `account`, write `account: {float: {address: dydx1...}}`",
    "hands_off": "belongs to `account`, write `account: {hands_off: {markets: [BTC-USD]}}`",
    **dict.fromkeys(("max_drawdown", "derive_caps"), "belongs to `limits`"),
    **dict.fromkeys(("per_hour", "per_day"), "belongs to `budgets`"),
    "max_interventions": "belongs to `interlocks`",
    **dict.fromkeys(
        ("id", "why", "measure", "scope", "levels", "no_data", *LEVEL_KEYS),
        "belongs to a rule, in the list `rules`",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A rule file that loaded: its policy, the name it is armed under, and what to know."""

    policy: Policy
    digest: str
    warnings: tuple[Problem, ...] = ()
    drafts: tuple[RuleDraft, ...] = ()  # its rules as written, each part with its place


def load(
    path: Path | str,
    *,
    known: Known = NOTHING_KNOWN,
) -> Loaded:
    """The policy of a file; raises RuleFileError with every problem, one where there is no file."""
    file = str(path)
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise _refused(
            file, Place(), "no such file: name yours, or write one with `seawall init`"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _refused(file, Place(), f"cannot be read: {reason}") from None
    except ValueError as error:
        raise _refused(file, Place(), f"cannot be read: {error}") from None
    try:
        text = raw[: 4 * SIZE_MAX].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Place(
            line=before.count(b"\n") + 1, column=error.start - (before.rfind(b"\n") + 1) + 1
        )
        raise _refused(file, place, f"byte {raw[error.start]:#04x} is not UTF-8") from None
    return parse(text, file=file, known=known)


def parse(
    text: str,
    *,
    file: str = "rules.yaml",
    known: Known = NOTHING_KNOWN,
) -> Loaded:
    """The policy of a text; raises RuleFileError with every problem, in order of lines."""
    report = Report(file)
    root = read_tree(text, report)
    if root is None:
        report.raise_problems()
    assert root is not None
    policy, drafts = _read_policy(root, report, known)
    report.raise_problems()
    assert policy is not None
    return Loaded(policy=policy, digest=digest(policy), warnings=report.warnings, drafts=drafts)


def with_rules(policy: Policy, drafts: Sequence[RuleDraft]) -> Policy | None:
    """The policy with other rules beside the same blocks; None where a file of them is refused."""
    report = Report("")
    for draft in drafts:
        check_rule(draft, report)
        check_against_blocks(draft, policy, report)
    if report.has_problems:
        return None
    return replace(policy, rules=tuple(rule_of(draft) for draft in drafts))


def _refused(file: str, place: Place, message: str) -> RuleFileError:
    problem = Problem(file=file, line=place.line, column=place.column, message=message)
    return RuleFileError((problem,), CONSEQUENCE)


def _read_policy(
    root: Node, report: Report, known: Known
) -> tuple[Policy | None, tuple[RuleDraft, ...]]:
    """The policy, None where something was refused, and its rules as written."""
    fields = Fields(root, report, what="a rule file", known=KEYS, elsewhere=ELSEWHERE)
    fields.read("version", _version)
    scenarios = _scenarios(fields, known)
    float_source, hands_off = _account(fields, known)
    listed = fields.require("rules", "a guard without rules guards nothing")
    names = scenario_names(fields.node("scenarios"))
    ground = Ground(scenarios=names, known=known)
    drafts = () if listed is None else read_rules(listed, ground, report)
    equity, backstop = fields.node("equity"), fields.node("backstop")
    budgets, interlocks = fields.node("budgets"), fields.node("interlocks")
    policy = Policy(
        scenarios=scenarios,
        buffer=Buffer() if equity is None else blocks.read_buffer(equity, report),
        caps=_caps(fields, known, scenarios),
        price_band=fields.value("price_band", literals.share, Policy().price_band),
        budget=Budget() if budgets is None else blocks.read_budget(budgets, report),
        interlock=Interlock() if interlocks is None else blocks.read_interlock(interlocks, report),
        float_source=float_source,
        hands_off=hands_off,
        backstop=None if backstop is None else blocks.read_backstop(backstop, report, names),
    )
    for draft in drafts:
        check_rule(draft, report)
        check_against_blocks(draft, policy, report)
    warn_of_gaps(drafts, policy, fields.place, report)
    if report.has_problems:
        return None, drafts
    return replace(policy, rules=tuple(rule_of(draft) for draft in drafts)), drafts


def _scenarios(fields: Fields, known: Known) -> dict[str, Scenario]:
    node = fields.node("scenarios")
    return {} if node is None else read_scenarios(node, fields.report, known)


def _account(fields: Fields, known: Known) -> tuple[FloatSource | None, HandsOff]:
    node = fields.node("account")
    return (None, HandsOff()) if node is None else blocks.read_account(node, fields.report, known)


def _caps(fields: Fields, known: Known, scenarios: Mapping[str, Scenario]) -> Caps:
    typed, limits = fields.node("caps"), fields.node("limits")
    report = fields.report
    return Caps(
        typed={} if typed is None else blocks.read_typed_caps(typed, report, known),
        derived=None if limits is None else read_limits(limits, report, known, scenarios),
    )


def _version(text: str) -> str:
    if text != "1":
        raise LiteralError(f"`{text}`: this Seawall reads `version: 1`")
    return text
