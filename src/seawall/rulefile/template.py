"""A rule file from three answers: the most to lose, the worst gap feared, the cash to add.

Portfolio first: the loss bounds the book, the gap says by how much, and every dollar figure is a
share of the account's equity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files

from seawall import words
from seawall.measures.spec import Unit
from seawall.units import Ppm

TEMPLATE = "rules.yaml.template"  # beside this module; @name@ is a number
SLIPPAGE = Decimal("0.015")
ALTS_FALL = Decimal("1.5")  # times the gap of the majors
FALL_MOST = Decimal("0.9")
TOP_UP_LEAST = Decimal(10)
BUFFER = Decimal("0.1")  # of equity
SHARES = {"BTC-USD": Decimal("0.4"), "ETH-USD": Decimal("0.35")}  # of the book
SHARE_OF_OTHERS = Decimal("0.1")  # of the book, each


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the trader said: fractions, and dollars. `wallet` is the float's address, or empty."""

    loss: Ppm
    gap: Ppm
    cash: Decimal
    equity: Decimal
    wallet: str = ""

    @property
    def loss_share(self) -> Decimal:
        """The most to lose, a fraction."""
        return Decimal(self.loss).scaleb(-6)

    @property
    def gap_share(self) -> Decimal:
        """The worst gap, a fraction."""
        return Decimal(self.gap).scaleb(-6)

    @property
    def buffer(self) -> Decimal:
        """Equity that is not traded."""
        return _nice(self.equity * BUFFER)

    @property
    def book(self) -> Decimal:
        """The largest book, in multiples of equity minus buffer."""
        return self.loss_share / (self.gap_share + SLIPPAGE)

    def cap(self, ticker: str) -> Decimal:
        """The most of one market, in dollars."""
        shock, share = self.gap_share, SHARES.get(ticker)
        if share is None:
            shock, share = min(self.gap_share * ALTS_FALL, FALL_MOST), SHARE_OF_OTHERS
        return (self.equity - self.buffer) * self.loss_share * share / (shock + SLIPPAGE)


def meaning(answers: Answers, *, held: Mapping[str, Decimal] | None = None) -> tuple[str, ...]:
    """What the answers mean in dollars, one line each; `held` are notionals now, if known."""
    free, loss = answers.equity - answers.buffer, answers.equity * answers.loss_share
    dollars = words.whole_dollars
    buffer, equity = dollars(answers.buffer), dollars(answers.equity)
    panic, cut = dollars(loss), dollars(loss * 3 / 4)
    share, gap = words.percent(answers.loss), words.percent(answers.gap)
    book, multiple = dollars(free * answers.book), words.show(answers.book, Unit.MULTIPLE)
    btc, eth = (dollars(answers.cap(ticker)) for ticker in SHARES)
    lines = [
        f"equity {equity}, of which {buffer} is buffer and never traded",
        f"down {cut} a third of the book goes, down {panic} ({share} from the peak) all of it",
        f"a gap of {gap} with 150bps of bad fills may cost {share} and no more",
        f"so the book is at most {multiple} equity minus buffer, {book}, at whatever leverage",
        f"of it BTC-USD at most {btc}, ETH-USD {eth}",
    ]
    if answers.cash >= TOP_UP_LEAST:
        source = "from the float wallet" if answers.wallet else "once a float wallet is named"
        lines.append(f"up to {words.whole_dollars(answers.cash)} a day is added {source}")
    else:
        lines.append("no cash is added: what is short is sold")
    if held is not None:
        lines.append(_held(answers, held))
    return tuple(lines)


def _held(answers: Answers, held: Mapping[str, Decimal]) -> str:
    """What is held now against the caps that the answers make."""
    now = f"the book now is {words.whole_dollars(sum(held.values(), Decimal(0)))}"
    above = [
        f"{ticker} {words.whole_dollars(size)} of {words.whole_dollars(answers.cap(ticker))}"
        for ticker, size in held.items()
        if size > answers.cap(ticker)
    ]
    if not above:
        return f"{now}, every market within its cap"
    return (
        f"{now}, above its cap {', '.join(above)}: these rules would sell at once, so a first "
        "live start shows the plan and stays out until --arm; bolder answers allow more"
    )


def rule_file(answers: Answers) -> str:
    """The text of a rule file that asks for what the answers say."""
    text = files("seawall.rulefile").joinpath(TEMPLATE).read_text("utf-8")
    for name, value in _numbers(answers).items():
        text = text.replace(f"@{name}@", value)
    return text


def _numbers(answers: Answers) -> dict[str, str]:
    loss, gap, equity = answers.loss_share, answers.gap_share, answers.equity
    alts = min(gap * ALTS_FALL, FALL_MOST)
    floor = "# float: {address: dydx1..., floor: $50}      # name a wallet that holds only this"
    if answers.wallet:
        floor = f"float: {{address: {answers.wallet}, floor: $50}}"
    top_up = ""
    if answers.cash >= TOP_UP_LEAST:
        most = _dollars(max(TOP_UP_LEAST, answers.cash / 2))
        top_up = f"{{top_up: {{until: target, max: {most}}}}}, "
    ratios = {
        "loss": loss,
        "loss_half": loss / 2,
        "loss_half_clear": loss * Decimal("0.42"),
        "loss_most": loss * 3 / 4,
        "loss_most_clear": loss * Decimal("0.58"),
        "day_half": loss / 6,
        "day_half_clear": loss / 8,
        "day": loss / 3,
        "gap": gap,
        "alts": alts,
        "band_watch": gap * Decimal("0.9"),
        "band_act": gap * Decimal("0.6"),
        "band_clear": gap * Decimal("0.8"),
    }
    money = {
        "equity": equity,
        "buffer": answers.buffer,
        "free_watch": equity / 15,
        "free_watch_clear": equity * Decimal("0.08"),
        "free_act": equity / 30,
        "free_act_clear": equity * Decimal("0.06"),
        "stress": equity / 60,
        "stress_clear": equity / 120,
        "drain_watch": equity / 1_000,
        "drain_watch_clear": equity * Decimal("0.0008"),
        "drain": equity / 500,
        "drain_target": equity * Decimal("0.0013"),
        "drain_clear": equity * Decimal("0.0015"),
        "cash": answers.cash,
    }
    shown = {name: _percent(value) for name, value in ratios.items()}
    shown |= {name: _dollars(value) for name, value in money.items()}
    return shown | {"floor": floor, "top_up": top_up}


def _percent(share: Decimal) -> str:
    rounded = (share * 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return words.exact(rounded.scaleb(-2), Unit.RATIO).replace(",", "_")


def _dollars(value: Decimal) -> str:
    return words.dollars(_nice(value)).replace(",", "_")


def _nice(value: Decimal) -> Decimal:
    """Two significant digits, at least cents: a threshold is a decision, not a measurement."""
    if not value:
        return Decimal(0)
    place = Decimal(1).scaleb(max(value.adjusted() - 1, -2))
    return value.quantize(place, ROUND_HALF_UP) + Decimal(0).quantize(place)
