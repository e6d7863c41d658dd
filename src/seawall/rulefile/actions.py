"""The `do` list of a level: actions with their caps (RULES.md section 3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from seawall.policy import (
    CancelOrders,
    CancelWhich,
    Do,
    Flatten,
    Lock,
    Notify,
    Page,
    ReduceAmount,
    ReduceUntil,
    TopUpUntil,
)
from seawall.rulefile import literals
from seawall.rulefile.draft import DoDraft
from seawall.rulefile.fields import Fields, Found, choice, read
from seawall.rulefile.report import Report, did_you_mean
from seawall.rulefile.tree import Entry, Listing, Node, Table, Word, kind_of
from seawall.units import Millis, Ppm

ACTIONS = ("notify", "page", "cancel_orders", "top_up", "reduce", "flatten", "lock")

_TOP_UP_LEAST = Decimal(10)  # nothing smaller is sent (DESIGN.md section 4)
_SLIPPAGE_WARNING = Ppm(100_000)
_HOW = {
    "cancel_orders": "{cancel_orders: risk_increasing} or {cancel_orders: all}",
    "top_up": "{top_up: {until: target, max: $3_000}}",
    "reduce": "{reduce: {until: target, max_slippage: 60bps}}",
}
_CAP_MISSING = "a reduction needs a slippage cap, like `max_slippage: 60bps`"


def read_do(node: Node, report: Report) -> DoDraft:
    """The actions of a `do` list; a bare `lock` takes the largest slippage beside it."""
    if not isinstance(node, Listing):
        text = node.text if isinstance(node, Word) else ""
        shown = text if all(part.strip() in ACTIONS for part in text.split(",")) else "notify"
        report.refuse(node, f"{kind_of(node)}: `do` is a list of actions, like [{shown}]")
        return DoDraft(place=node, is_whole=False)
    if not node.items:
        report.refuse(node, "`do`: empty, a level has to do something; `notify` is the least")
        return DoDraft(place=node, is_whole=False)
    found = [_read_action(item, report) for item in node.items if not _is_bare(item, "lock")]
    draft = DoDraft(
        place=node,
        actions=tuple(found),
        has_bare_flatten=any(_is_bare(item, "flatten") for item in node.items),
        is_whole=all(action.value is not None for action in found),
    )
    draft = _with_locks(draft, node, report)
    _refuse_repeats(draft, report)
    return draft


def _is_bare(node: Node, action: str) -> bool:
    return isinstance(node, Word) and node.text == action


def _with_locks(draft: DoDraft, node: Listing, report: Report) -> DoDraft:
    for item in node.items:
        if not _is_bare(item, "lock"):
            continue
        cap = draft.largest_slippage
        lock = None if cap is None else Lock(max_slippage=cap)
        if lock is None and draft.is_whole:
            report.refuse(
                item,
                "`lock`: no reduction beside it to take a slippage cap from, "
                "write {lock: {max_slippage: 60bps}}",
            )
        draft = replace(
            draft,
            actions=(*draft.actions, Found(place=item, value=lock)),
            is_whole=draft.is_whole and lock is not None,
        )
    return draft


def _refuse_repeats(draft: DoDraft, report: Report) -> None:
    seen: set[type[Do]] = set()
    for place, do in draft:
        if type(do) in seen:
            report.refuse(place, f"`{do.kind}`: twice in one level, keep one")
        seen.add(type(do))


def _read_action(node: Node, report: Report) -> Found[Do]:
    match node:
        case Word():
            return Found(place=node, value=_bare_action(node, report))
        case Table(entries=(entry,)):
            return Found(place=node, value=_action_with_settings(entry, report))
        case _:
            report.refuse(node, f"{kind_of(node)}: one action each, like {_HOW['reduce']}")
            return Found(place=node, value=None)


def _bare_action(word: Word, report: Report) -> Do | None:
    match word.text:
        case "notify":
            return Notify()
        case "page":
            return Page()
        case "flatten":
            return Flatten()
        case "reduce":
            report.refuse(word, f"`reduce`: {_CAP_MISSING}; write {_HOW['reduce']}")
        case "cancel_orders" | "top_up":
            report.refuse(word, f"`{word.text}`: needs settings, write {_HOW[word.text]}")
        case _:
            report.refuse(word, _unknown(word.text))
    return None


def _unknown(text: str) -> str:
    return f"`{text}`: unknown action, {did_you_mean(text, ACTIONS)}"


def _action_with_settings(entry: Entry, report: Report) -> Do | None:
    match entry.key.text:
        case "cancel_orders":
            return _cancel_orders(entry.value, report)
        case "top_up":
            return _top_up(entry.value, report)
        case "reduce":
            return _reduce(entry.value, report)
        case "flatten":
            return _flatten(entry.value, report)
        case "lock":
            return _lock(entry.value, report)
        case "notify" | "page":
            report.refuse(entry.key, f"`{entry.key.text}`: takes no settings, write it alone")
        case _:
            report.refuse(entry.key, _unknown(entry.key.text))
    return None


def _cancel_orders(node: Node, report: Report) -> Do | None:
    which = read(node, choice(*CancelWhich), report, "cancel_orders").value
    return None if which is None else CancelOrders(which=CancelWhich(which))


def _top_up(node: Node, report: Report) -> Do | None:
    fields = Fields(node, report, what="`top_up`", known=("until", "max"), like=_HOW["top_up"])
    until = fields.required("until", _target, "cash is added `until: target`")
    most = fields.required("max", _top_up_most, "the most dollars of one intervention")
    if until is None or until.value is None or most is None or most.value is None:
        return None
    return TopUpUntil(most=most.value)


def _top_up_most(text: str) -> Decimal:
    most = literals.dollars(text)
    if most < _TOP_UP_LEAST:
        raise literals.LiteralError(f"`{text}`: below $10 nothing is ever sent")
    return most


def _target(text: str) -> str:
    if text != "target":
        raise literals.LiteralError(
            f"`{text}`: `until` says `target`, and the value stands beside the trigger, like "
            '`target: "<= $7_000"`'
        )
    return text


def _max_slippage(fields: Fields) -> Ppm | None:
    """The slippage cap of a reduction; None where it was refused."""
    found = fields.required("max_slippage", literals.slippage, _CAP_MISSING)
    if found is None or found.value is None:
        return None
    if found.value > _SLIPPAGE_WARNING:
        fields.report.warn(
            found.place,
            f"`max_slippage` is {found.value // 100}bps: more than a tenth of the price",
        )
    return found.value


def _reduce(node: Node, report: Report) -> Do | None:
    known = ("until", "amount", "max_slippage", "or_else")
    like = _HOW["reduce"]
    if isinstance(node, Word) and node.text.endswith("%"):
        like = like.replace("until: target", f"amount: {node.text}")
    fields = Fields(node, report, what="`reduce`", known=known, like=like)
    cap = _max_slippage(fields)
    until = fields.read("until", _target)
    amount = fields.read("amount", literals.share)
    if until is not None and amount is not None:
        report.refuse(amount.place, "`amount`: either `until: target` or `amount`, not both")
        return None
    if amount is not None:
        return _reduce_amount(fields, cap, amount.value)
    if until is not None:
        return None if until.value is None else _reduce_until(fields, cap)
    if fields.is_readable:
        report.refuse(node, "`reduce`: how much? write `until: target` or `amount: 33%`")
    return None


def _reduce_until(fields: Fields, cap: Ppm | None) -> Do | None:
    node = fields.node("or_else")
    fallback = None if node is None else _or_else(node, cap, fields.report)
    if cap is None or (node is not None and fallback is None):
        return None
    return ReduceUntil(max_slippage=cap, or_else=fallback)


def _reduce_amount(fields: Fields, cap: Ppm | None, share: Ppm | None) -> Do | None:
    otherwise = fields.node("or_else")
    if otherwise is not None:
        fields.report.refuse(
            otherwise, "`or_else`: goes with `until: target`, an `amount` has no target to miss"
        )
        return None
    if cap is None or share is None:
        return None
    return ReduceAmount(share=share, max_slippage=cap)


def _or_else(node: Node, cap: Ppm | None, report: Report) -> Page | ReduceAmount | Flatten | None:
    """What to do when the target is out of reach; an `amount` keeps the cap of its `reduce`."""
    match node:
        case Word(text="page"):
            return Page()
        case Word(text="flatten"):
            return Flatten()
        case Word():
            hint = did_you_mean(node.text, ("page", "{amount: 50%}", "flatten"))
            report.refuse(node, f"`{node.text}`: unknown `or_else`, {hint}")
            return None
        case _:
            fields = Fields(node, report, what="`or_else`", known=("amount",))
            amount = fields.required("amount", literals.share, "`page` and `flatten` stand alone")
            if amount is None or amount.value is None or cap is None:
                return None
            return ReduceAmount(share=amount.value, max_slippage=cap)


def _flatten(node: Node, report: Report) -> Do | None:
    known, like = ("max_slippage", "give_up_after"), "{flatten: {max_slippage: 200bps}}"
    fields = Fields(node, report, what="`flatten`", known=known, like=like)
    cap = _max_slippage(fields)
    default = Flatten().give_up_after
    give_up_after: Millis = fields.value("give_up_after", literals.wait, default)
    return None if cap is None else Flatten(max_slippage=cap, give_up_after=give_up_after)


def _lock(node: Node, report: Report) -> Do | None:
    like = "{lock: {max_slippage: 60bps}}"
    fields = Fields(node, report, what="`lock`", known=("max_slippage",), like=like)
    cap = _max_slippage(fields)
    return None if cap is None else Lock(max_slippage=cap)
