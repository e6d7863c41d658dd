"""`seawall init`: three answers become a rule file and its tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from seawall.cli.look import ChainOption, IndexerOption, NodeOption, SettingsOption

if TYPE_CHECKING:
    from seawall.rulefile.template import Answers
    from seawall.settings import Settings
    from seawall.units import Ppm

T = TypeVar("T")
app = typer.Typer(add_completion=False)

EXAMPLE = Decimal(30_000)
LEAST = Decimal(100)  # of equity, in dollars
RULES, TESTS = "rules.yaml", "rules.test.yaml"


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where the two files go.")] = Path("config"),
    *,
    loss: Annotated[
        str | None, typer.Option(help="The most you can lose from the peak, like 12%.")
    ] = None,
    gap: Annotated[str | None, typer.Option(help="The worst gap you fear, like 10%.")] = None,
    cash: Annotated[
        str | None, typer.Option(help="The cash you could add on a bad night, like $3_000.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Size the rules for this address, read from a node.")
    ] = None,
    equity: Annotated[
        str | None, typer.Option(help="Size the rules for this equity instead, like $30_000.")
    ] = None,
    wallet: Annotated[str, typer.Option("--float", help="Address of the float wallet.")] = "",
    settings: SettingsOption = None,
    node: NodeOption = None,
    indexer: IndexerOption = None,
    chain_id: ChainOption = None,
) -> None:
    """Write rules.yaml and rules.test.yaml from three answers; what exists is never overwritten.

    Answers that are not given are asked for.

    Example: seawall init config --loss 12% --gap 10% --cash '$3_000' --equity '$30_000'
    """
    from seawall.cli.look import settings_for
    from seawall.errors import OperatorError
    from seawall.rulefile.template import Answers

    for name in (RULES, TESTS):
        if (folder / name).exists():
            raise OperatorError(
                f"{folder / name} exists and is not overwritten; name another folder"
            )
    most = partial(_answer, loss, "The most you can lose from the peak", "12%", _part)
    worst = partial(_answer, gap, "The worst gap you fear, in an hour", "10%", _part)
    more = partial(_answer, cash, "The cash you could add on a bad night", "$0", _dollars_held)
    for said, answer in ((loss, most), (gap, worst), (cash, more)):
        if said is not None:
            answer()  # what is refused is refused before a node or a person is asked
    look = None
    if account is not None:
        chosen = settings_for(settings, account, node=node, indexer=indexer, chain_id=chain_id)
        look = partial(_look_at, chosen)
    found = _account(look, equity)
    answers = Answers(loss=most(), gap=worst(), cash=more(), equity=found.equity, wallet=wallet)
    _write(folder, answers, found.held)


def _write(folder: Path, answers: Answers, held: Mapping[str, Decimal] | None) -> None:
    """Say what the answers mean, then write the two files."""
    from seawall.rulefile import parse
    from seawall.rulefile.template import meaning, rule_file
    from seawall.ruletest.suggest import whole_file

    for line in meaning(answers, held=held):
        print(line)
    text = rule_file(answers)
    loaded = parse(text, file=str(folder / RULES))
    for warning in loaded.warnings:
        print(f"warning: {warning}")
    print("playing every rule to write its tests, some seconds …", flush=True)
    tests = whole_file(loaded.policy, RULES, "{coverage: levels, mutation: 80%}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((RULES, text), (TESTS, tests)):
        with (folder / name).open("x") as file:
            file.write(content)
    print(f"written: {folder / RULES}, {folder / TESTS}")
    print(
        f"next: seawall test {folder / TESTS} --mutate, then seawall run --rules {folder / RULES}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """What the rules are written for: dollars of equity, and notionals now by market."""

    equity: Decimal
    held: Mapping[str, Decimal] | None = None  # None where no account was looked at


def _answer(said: str | None, question: str, usual: str, literal: Callable[[str], T]) -> T:
    """One answer: as given, or asked for until it can be read; raises OperatorError."""
    from seawall.errors import OperatorError
    from seawall.rulefile.literals import LiteralError

    if said is not None:
        try:
            return literal(said)
        except LiteralError as error:
            raise OperatorError(str(error)) from None

    def read(text: str) -> T:
        try:
            return literal(text)
        except LiteralError as error:
            raise typer.BadParameter(str(error)) from None

    found: T = typer.prompt(question, default=usual, value_proc=read)
    return found


def _part(text: str) -> Ppm:
    """A loss or a gap that rules can be made of; raises LiteralError."""
    from seawall.rulefile import literals
    from seawall.units import PPM_ONE

    part = literals.ppm(text)
    if not PPM_ONE // 100 <= part <= PPM_ONE // 2:
        raise literals.LiteralError(f"`{text}`: 1% to 50% is expected")
    return part


def _dollars_held(text: str) -> Decimal:
    from seawall.rulefile import literals

    return literals.dollars_held(text)


def _account(look: Callable[[], _Account] | None, equity: str | None) -> _Account:
    """What to size the rules for: an address, equity as given, or an example."""
    from seawall.errors import OperatorError
    from seawall.rulefile import literals

    if look is not None and equity is not None:
        raise OperatorError("--account and --equity: give one of them")
    if look is not None:
        found = look()
    elif equity is not None:
        try:
            found = _Account(equity=literals.dollars(equity))
        except literals.LiteralError as error:
            raise OperatorError(str(error)) from None
    else:
        print(
            f"no account given: an example of ${EXAMPLE:,}; --account or --equity sizes it for you"
        )
        return _Account(equity=EXAMPLE)
    if found.equity < LEAST:
        raise OperatorError(
            f"equity ${found.equity:,.2f}: at least ${LEAST} is needed to write rules for; "
            "--equity sizes them for what you will pay in"
        )
    return found


def _look_at(settings: Settings) -> _Account:
    """The account as a node shows it now; raises VenueUnreachable and NoSuchSubaccount."""
    import asyncio

    from seawall import margin
    from seawall.cli.look import observe
    from seawall.units import usd

    seen = asyncio.run(observe(settings))
    held: dict[str, Decimal] = {}
    for one in seen.subaccounts:
        for position in one.positions:
            size = margin.notional(seen.markets[position.ticker], position.quantums)
            held[position.ticker] = held.get(position.ticker, Decimal(0)) + usd(abs(size))
    equity = usd(sum(margin.risk(one, seen.markets).nc for one in seen.subaccounts))
    return _Account(equity=equity, held=held)
