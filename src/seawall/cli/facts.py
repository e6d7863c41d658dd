"""What a journal row says, in one line of words.

Rows are read as plain JSON, field by field, because a journal outlives the version that wrote it: a
row that has other fields than expected still shows what it begins with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from seawall import words
from seawall.journal.chain import Row
from seawall.units import Millis, usd

FACTS_MOST = 8
VALUE_LONGEST = 40
DIGEST_SHOWN = 12

Body = Mapping[str, object]


def words_of(row: Row) -> str:
    """A row in short: a sentence for the kinds that are known, else its first facts."""
    if row.body is None:
        return "pruned; its hash is kept"
    try:
        body = json.loads(row.body)
    except ValueError:
        return _short(row.body)
    if not isinstance(body, dict):
        return _short(json.dumps(body))
    sentence = SENTENCES.get(row.kind)
    try:
        return _facts(body) if sentence is None else sentence(body)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return _facts(body)


def _start(body: Body) -> str:
    digest = str(body["digest"])[:DIGEST_SHOWN]
    return f"seawall {body['version']}, {body['mode']}, {body['owner']}, rules {digest}"


def _tick(body: Body) -> str:
    decision = _part(body, "decision")
    parts = [f"tick {decision['tick']} at height {decision['height']}"]
    if blind := _list(decision, "blind"):
        parts.append(f"blind: {', '.join(str(reason) for reason in blind)}")
    parts += [
        f"{change['key']}/{change['level']} {change['before']} -> {change['after']}"
        for change in _parts(decision, "transitions")
    ]
    parts += [f"started {started['name']}" for started in _parts(decision, "started")]
    parts += [f"{ended['name']} {ended['end']}" for ended in _parts(decision, "ended")]
    parts += [
        f"{change['subaccount']}/{change['ticker']} changed by {change['cause']}"
        for change in (_parts(decision, "changes") if "changes" in decision else ())
    ]
    for name, said in (("actions", "to send"), ("on_paper", "on paper"), ("refusals", "refused")):
        if count := len(_list(decision, name)):
            parts.append(f"{count} {said}")
    return ", ".join(parts)


def _sending(body: Body) -> str:
    asked = ", ".join(str(rule) for rule in _list(body, "asked_by"))
    return f"{body['id']} {body['what']}" + (f" for {asked}" if asked else "")


def _reply(body: Body) -> str:
    reply = _part(body, "reply")
    if reply["is_unknown"]:
        return f"{body['action_id']} answer lost"
    if reply["code"] == 0:
        return f"{body['action_id']} accepted"
    return f"{body['action_id']} refused: {reply['codespace']} {reply['code']} {reply['log']}"


def _outcome(body: Body) -> str:
    said = f"{body['action_id']} {body['ending']} at height {body['height']}"
    if not body["quote"]:
        return said
    cost = f"cost {_dollars(body['cost_vs_oracle'])} with fee {_dollars(body['fee'])}"
    return f"{said}: {_dollars(body['quote'])} exchanged, {cost}"


def _message(body: Body) -> str:
    return f"{body['urgency']}: {' '.join(str(body['text']).split())}"


def _command(body: Body) -> str:
    return f"{body['kind']} {body['key']}".rstrip()


def _family(body: Body) -> str:
    return f"{body['owner']} has subaccounts {', '.join(str(n) for n in _list(body, 'numbers'))}"


def _holds(body: Body) -> str:
    parts = [
        f"{key}/{level} {words.duration(Millis(int(str(held))))}"
        for key, levels in _part(body, "held").items()
        if isinstance(levels, Mapping)
        for level, held in levels.items()
    ]
    return f"held so far: {', '.join(parts)}"


def _break(body: Body) -> str:
    return f"the journal before this one is broken at {body['reason']}; kept as {body['file']}"


def _prune(body: Body) -> str:
    kinds = ", ".join(str(kind) for kind in _list(body, "kinds"))
    return f"{body['rows']} bodies dropped ({kinds}), up to row {body['through']}"


def _spilled(body: Body) -> str:
    moved = f", written as {body['was']} on" if body["was"] != body["first"] else ""
    fault = f"; {body['fault']}" if body["fault"] else ""
    return f"{body['rows']} rows from {body['first']} on came from the spill file{moved}{fault}"


def _armed(body: Body) -> str:
    would = str(body["would"]) or "does nothing at once"
    return f"rules {str(body['digest'])[:DIGEST_SHOWN]} armed ({body['by']}): {would}"


def _reload(body: Body) -> str:
    return f"reload of the rule file asked for{', armed' if body['arms'] else ''}"


def _rules(body: Body) -> str:
    said = "; ".join(str(line) for line in _list(body, "words"))
    return f"reload: {body['end']}, rules {str(body['digest'])[:DIGEST_SHOWN]}; {said}".rstrip("; ")


SENTENCES: Mapping[str, Callable[[Body], str]] = {
    "start": _start,
    "tick": _tick,
    "sending": _sending,
    "reply": _reply,
    "outcome": _outcome,
    "message": _message,
    "command": _command,
    "family": _family,
    "holds": _holds,
    "break": _break,
    "armed": _armed,
    "reload": _reload,
    "rules": _rules,
    "prune": _prune,
    "spilled": _spilled,
}


def _part(body: Body, name: str) -> Body:
    part = body[name]
    if not isinstance(part, dict):
        raise TypeError(name)
    return part


def _list(body: Body, name: str) -> list[object]:
    found = body[name]
    if not isinstance(found, list):
        raise TypeError(name)
    return found


def _parts(body: Body, name: str) -> Iterator[Body]:
    for part in _list(body, name):
        if not isinstance(part, dict):
            raise TypeError(name)
        yield part


def _dollars(quote: object) -> str:
    if not isinstance(quote, int):
        raise TypeError(quote)
    return words.dollars(usd(quote).quantize(Decimal("0.01")))


def _facts(body: Body) -> str:
    """The first facts of a body as key=value."""
    facts = [f"{name}={value}" for name in body if (value := _value(body[name]))]
    shown = facts[:FACTS_MOST]
    return " ".join([*shown, "…"] if len(facts) > len(shown) else shown)


def _value(value: object) -> str:
    """A value in a few words; empty for what says nothing."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return _short(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return _short(str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= VALUE_LONGEST else line[: VALUE_LONGEST - 1] + "…"
