"""What the venue says of an account that a gap ruins: its own costs, and what the fund paid."""

from __future__ import annotations

from decimal import Decimal

from seawall.simulator.prices import Path
from seawall.simulator.serve.launch import Cast, produce
from seawall.simulator.serve.score import Scoreboard
from seawall.units import Millis
from tests.simulator.serve.running import START, line


def test_what_the_insurance_fund_pays_is_no_negative_fee() -> None:
    gap = {"BTC-USD": line((0, 100_000), (4_000, 100_000), (5_000, 80_000), (60_000, 80_000))}
    path = Path(gap, start=START, end=Millis(START + 60_000))
    production = produce(path, Cast(accounts=1, equity=Decimal(10_000), leverage=Decimal(10)))
    chain = production.player.chain
    board = Scoreboard(chain.committed, production.names)

    before = chain.committed
    while (block := production.player.step()) is not None:
        board.note(block, before, chain.committed)
        before = chain.committed
    account = next(one for one in board.accounts(before) if one["name"] == "trader-1")

    assert account["liquidated"]
    assert Decimal(str(account["fees"])) >= 0
    assert Decimal(str(account["paid_by_fund"])) > 0
