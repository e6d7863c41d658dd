"""Rules for bad days: words of a rule file with numbers that a short day can reach.

Holds and cooldowns are seconds, so that ten minutes see levels fire, act, clear and fire again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from seawall.policy import Policy
from seawall.rulefile.load import parse

HEAD = """\
version: 1
account:
  float: {{address: {address}, floor: $50}}
  hands_off: {{markets: [{hands_off}], subaccounts: []}}
equity: {{buffer: ${buffer}}}
scenarios:
  gap: {{"*": -10%, over: 1h, slippage: 100bps, both_signs: true}}
budgets:
  per_hour: {{notional: {notional}%, orders: {orders}}}
  per_day: {{cost: {cost}%, top_up: ${top_up}}}
rules:
"""

DRAWDOWN = """\
  - id: drawdown
    why: "Losses are cut, then the day is over."
    measure: drawdown
    levels:
      - {{name: watch, trigger: ">= {a}%", clear: "< {c}%", for: {hold}s, do: [notify]}}
      - {{name: act, trigger: ">= {b}%", clear: "< {c}%", for: {hold}s, clear_for: 20s,
         do: [notify, {{cancel_orders: risk_increasing}},
              {{reduce: {{amount: 33%, max_slippage: {slip}bps}}}}]}}
      - {{name: panic, trigger: ">= {d}%", for: {hold}s, latch: manual,
         do: [page, {{cancel_orders: all}},
              {{flatten: {{max_slippage: {slip}bps, give_up_after: 60s}}}}, lock]}}
"""

LEVERAGE = """\
  - id: leverage
    why: "Losses that raise leverage are cut back."
    measure: leverage
    trigger: "> {a}x"
    target: "<= {b}x"
    for: {hold}s
    cooldown: {cool}s
    do: [{tell}, {{cancel_orders: risk_increasing}},
         {{reduce: {{until: target, max_slippage: {slip}bps}}}}]
"""

MAINTENANCE = """\
  - id: maintenance
    why: "At 100% the venue sells for us."
    measure: maintenance_usage
    trigger: "> 60%"
    target: "<= 45%"
    for: {hold}s
    cooldown: {cool}s
    do: [page, {{top_up: {{until: target, max: ${most}}}}},
         {{reduce: {{until: target, max_slippage: {slip}bps}}}}]
"""

COLLATERAL = """\
  - id: collateral
    why: "Free collateral must not run out; cash first, size second."
    measure: free_collateral
    levels:
      - {{name: watch, trigger: "< ${a}", clear: "> ${a}", do: [notify]}}
      - {{name: act, trigger: "< ${b}", target: ">= ${c}", clear: ">= ${c}", for: {hold}s,
         cooldown: {cool}s,
         do: [{tell}, {{cancel_orders: risk_increasing}},
              {{top_up: {{until: target, max: ${most}}}}},
              {{reduce: {{until: target, max_slippage: {slip}bps, or_else: {other}}}}}]}}
"""

CAP = """\
  - id: cap
    why: "No market alone."
    measure: gross_exposure
    trigger: "> ${a}"
    target: "<= ${b}"
    for: {hold}s
    cooldown: {cool}s
    do: [{tell}, {{cancel_orders: risk_increasing}},
         {{reduce: {{until: target, max_slippage: {slip}bps}}}}]
"""

DAY_LOSS = """\
  - id: day-loss
    why: "A bad day ends at midnight, and nobody feeds it."
    measure: day_loss
    trigger: ">= {b}%"
    for: {hold}s
    latch: "00:00Z"
    do: [page, {{cancel_orders: risk_increasing}},
         {{reduce: {{amount: 50%, max_slippage: {slip}bps}}}}, lock]
"""

LIQ_MOVE = """\
  - id: liq-move
    why: "Know the liquidation band."
    measure: liq_move
    trigger: "< 5%"
    target: ">= 7%"
    for: {hold}s
    cooldown: {cool}s
    do: [page, {{top_up: {{until: target, max: ${most}}}}},
         {{reduce: {{until: target, max_slippage: {slip}bps}}}}]
"""

SURVIVAL = """\
  - id: survival
    why: "A gap must leave us above maintenance."
    measure: {{stress_headroom: gap}}
    trigger: "< $0"
    target: ">= ${b}"
    clear: ">= $1"
    for: {hold}s
    cooldown: {cool}s
    do: [{tell}, {{reduce: {{until: target, max_slippage: {slip}bps, or_else: {other}}}}}]
"""

FATAL = """\
  - id: fatal
    why: "Half a gap must not be enough."
    measure: {{fatal_move: gap}}
    trigger: "< 0.5x"
    target: ">= 0.6x"
    for: {hold}s
    cooldown: {cool}s
    do: [{tell}, {{reduce: {{until: target, max_slippage: {slip}bps}}}}]
"""

OPEN_ORDERS = """\
  - id: open-orders
    why: "What rests may fill."
    measure: open_order_risk
    trigger: "> ${b}"
    clear: "<= ${b}"
    for: {hold}s
    do: [notify, {{cancel_orders: risk_increasing}}]
"""

TRUST = """\
  - id: sources
    why: "Two sources that disagree: a person must look."
    measure: source_gap
    trigger: "> 0%"
    for: 30s
    no_data: fire
    do: [page]
  - id: age
    why: "Old state is no state."
    measure: input_age
    trigger: "> 20s"
    do: [page]
  - id: reach
    why: "What the key cannot close is not guarded."
    measure: outside_reach
    trigger: "> 0"
    do: [page]
"""

STACKED = """\
  - id: stacked
    why: "Cut back to a target; where losses outrun that, cut once for all."
    measure: {measure}
    levels:
      - {{name: trim, trigger: "> {a}", target: "<= {b}", for: {hold}s, cooldown: {cool}s,
         do: [{tell}, {{reduce: {{until: target, max_slippage: {slip}bps}}}}]}}
      - {{name: once, trigger: "> {c}", clear: "<= {b}", for: {held}s, clear_for: 20s,
         do: [page, {once}]}}
"""

ONCE = (
    "{{reduce: {{amount: 50%, max_slippage: {slip}bps}}}}",
    "{{flatten: {{max_slippage: {slip}bps, give_up_after: 60s}}}}",
)
OTHERS = ("page", "{amount: 50%}", "flatten")


def rules_for(
    chance: random.Random, *, equity: Decimal, leverage: Decimal, address: str, hands_off: str
) -> tuple[str, Policy]:
    """A drawn rule file and its policy for an account of that size; `hands_off` may be empty."""
    gross = equity * leverage
    pool: tuple[Callable[[], str], ...] = (
        lambda: DRAWDOWN.format(**_words(chance), a=3, b=6, c=2, d=12),
        lambda: LEVERAGE.format(
            **_words(chance), a=_times(leverage * 11 / 10), b=_times(leverage * 9 / 10)
        ),
        lambda: MAINTENANCE.format(**_words(chance), most=_dollars(equity / 4)),
        lambda: COLLATERAL.format(
            **_words(chance),
            a=_dollars(equity / 2),
            b=_dollars(equity * 3 / 10),
            c=_dollars(equity * 4 / 10),
            most=_dollars(equity / 4),
        ),
        lambda: CAP.format(**_words(chance), a=_dollars(gross / 2), b=_dollars(gross * 4 / 10)),
        lambda: DAY_LOSS.format(**_words(chance), b=4),
        lambda: LIQ_MOVE.format(**_words(chance), most=_dollars(equity / 4)),
        lambda: SURVIVAL.format(**_words(chance), b=_dollars(equity / 20)),
        lambda: FATAL.format(**_words(chance)),
        lambda: OPEN_ORDERS.format(**_words(chance), b=_dollars(equity / 10)),
    )
    head = HEAD.format(
        address=address,
        hands_off=hands_off,
        buffer=_dollars(equity / 10 if chance.random() < 0.3 else Decimal(0)),
        notional=chance.choice((60, 200, 2_000)),
        orders=chance.choice((4, 30, 200)),
        cost=chance.choice((1, 5, 50)),
        top_up=_dollars(equity / chance.choice((10, 2))),
    )
    chosen = chance.sample(range(len(pool)), chance.randint(1, 4))
    text = head + "".join(pool[index]() for index in sorted(chosen)) + TRUST
    return text, parse(text, file="drawn.yaml").policy


def with_stacked_levels(chance: random.Random, text: str, leverage: Decimal) -> str:
    """The rule file with a rule whose higher level cuts once, over one that reaches a target."""
    words = _words(chance)
    once = chance.choice(ONCE).format(**words)
    if chance.random() < 0.5:
        bounds = {"measure": "maintenance_usage", "a": "50%", "b": "40%", "c": "57%"}
    else:
        at = (leverage * part / 20 for part in (21, 18, 23))
        bounds = {"measure": "leverage"}
        bounds |= {name: f"{_times(value)}x" for name, value in zip("abc", at, strict=True)}
    held = chance.choice((0, 2, 10))
    rule = STACKED.format(**(words | bounds), once=once, held=held)
    return text.replace(TRUST, f"{rule}{TRUST}", 1)


def _words(chance: random.Random) -> dict[str, object]:
    """Numbers that every rule draws anew."""
    slip = chance.choice((40, 100, 200))
    return {
        "hold": chance.choice((0, 2, 10)),
        "cool": chance.choice((0, 10, 60)),
        "slip": slip,
        "tell": chance.choice(("notify", "page")),
        "other": chance.choice(OTHERS),
    }


def _dollars(amount: Decimal) -> str:
    return f"{int(amount):_}"


def _times(ratio: Decimal) -> str:
    return f"{ratio:.2f}"
