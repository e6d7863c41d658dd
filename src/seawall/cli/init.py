"""`seawall init`: three answers become a rule file and its tests."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seawall.rulefile.template import Answers

app = typer.Typer()

EXAMPLE = Decimal(30_000)
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
) -> None:
    """Write rules.yaml and rules.test.yaml from three answers; what exists is never overwritten.

    Example: seawall init config --loss 12% --gap 10% --cash '$3_000' --equity '$30_000'
    """
    from seawall.errors import OperatorError
    from seawall.rulefile import parse
    from seawall.rulefile.template import meaning, rule_file
    from seawall.ruletest.suggest import whole_file

    for name in (RULES, TESTS):
        if (folder / name).exists():
            raise OperatorError(
                f"{folder / name} exists and is not overwritten; name another folder"
            )
    answers = _answers(loss, gap, cash, _equity(account, equity), wallet)
    for line in meaning(answers):
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


def _answers(
    loss: str | None, gap: str | None, cash: str | None, equity: Decimal, wallet: str
) -> Answers:
    """The three answers, asked where they were not given; refused where they make no rules."""
    from seawall.errors import OperatorError
    from seawall.rulefile import literals
    from seawall.rulefile.template import Answers
    from seawall.units import PPM_ONE

    try:
        answers = Answers(
            loss=literals.share(loss or _ask("The most you can lose from the peak", "12%")),
            gap=literals.share(gap or _ask("The worst gap you fear, in an hour", "10%")),
            cash=literals.dollars_held(cash or _ask("The cash you could add on a bad night", "$0")),
            equity=equity,
            wallet=wallet,
        )
    except literals.LiteralError as error:
        raise OperatorError(str(error)) from None
    if not PPM_ONE // 100 <= answers.loss <= PPM_ONE // 2:
        raise OperatorError("the most you can lose: 1% to 50% is expected")
    if not PPM_ONE // 100 <= answers.gap <= PPM_ONE // 2:
        raise OperatorError("the worst gap: 1% to 50% is expected")
    return answers


def _ask(question: str, usual: str) -> str:
    said: str = typer.prompt(question, default=usual)
    return said


def _equity(account: str | None, equity: str | None) -> Decimal:
    """Dollars to size the rules for: of an address, as given, or of an example."""
    from seawall.errors import OperatorError
    from seawall.rulefile import literals

    if account is not None and equity is not None:
        raise OperatorError("--account and --equity: give one of them")
    if account is not None:
        found = _read_equity(account)
    elif equity is not None:
        try:
            found = literals.dollars(equity)
        except literals.LiteralError as error:
            raise OperatorError(str(error)) from None
    else:
        print(
            f"no account given: an example of ${EXAMPLE:,}; --account or --equity sizes it for you"
        )
        return EXAMPLE
    if found < 100:
        raise OperatorError(f"equity ${found:,.2f}: at least $100 is needed to write rules for")
    return found


def _read_equity(address: str) -> Decimal:
    import asyncio

    from seawall import margin
    from seawall.cli.look import observe
    from seawall.settings import load_settings
    from seawall.units import usd

    seen = asyncio.run(observe(load_settings(None), address))
    return usd(sum(margin.risk(one, seen.markets).nc for one in seen.subaccounts))
