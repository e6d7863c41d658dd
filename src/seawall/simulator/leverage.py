"""Custom leverage: an owner's own initial fraction per market, which only raises IMR.

The check looks at the entries of the message alone, those stored before count as none in it; then
both are merged. Sources: reference MARGIN.md section 2.4 and ORDERS.md section 10.1.
"""

from __future__ import annotations

from dataclasses import replace

from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import ACCEPTED, CheckResult, UpdateLeverage
from seawall.simulator.orders import bad_subaccount, clob

MILLION = 1_000_000


def refuse_leverage(exchange: Exchange, message: UpdateLeverage) -> CheckResult | None:
    """Why custom leverage is not taken; None where it is."""
    bad = bad_subaccount(message.subaccount)
    if bad is not None:
        return bad
    if not message.entries:
        return clob(11002, "leverage update without entries: invalid update leverage")
    pairs: set[int] = set()
    for pair, ppm in message.entries:
        if not 0 < ppm <= MILLION:
            return clob(11002, f"initial fraction {ppm} ppm is not within 0 and 1,000,000")
        if pair in pairs:
            return clob(11002, f"clob pair {pair} comes twice: invalid update leverage")
        if exchange.market_of_clob(pair) is None:
            return clob(8, f"clob pair {pair} does not exist")
        pairs.add(pair)
    return _refuse_too_low(exchange, message)


def _refuse_too_low(exchange: Exchange, message: UpdateLeverage) -> CheckResult | None:
    """The subaccounts module's refusal of a fraction below the least that a market has."""
    for pair, ppm in sorted(message.entries):
        market = exchange.market_of_clob(pair)
        assert market is not None
        least = market.spec.tier.initial_margin_ppm
        if ppm < least:
            log = f"initial fraction {ppm} ppm is below the market's {least}"
            return CheckResult(code=701, codespace="subaccounts", log=log)
    return None


def update_leverage(exchange: Exchange, message: UpdateLeverage) -> CheckResult:
    """Put custom leverage in force in its block, if the account then holds its margin."""
    refused = refuse_leverage(exchange, message)
    if refused is not None:
        return refused
    asked = {}
    for pair, ppm in message.entries:
        market = exchange.market_of_clob(pair)
        assert market is not None
        asked[market.spec.perpetual_id] = ppm
    account = exchange.settled(message.subaccount)
    risk = exchange.risk(replace(account, custom_imf_ppm=asked))
    if risk.nc < risk.imr:
        log = f"net collateral {risk.nc} is below the initial margin {risk.imr} that was asked"
        return CheckResult(code=703, codespace="subaccounts", log=log)
    merged = {**account.custom_imf_ppm, **asked}
    exchange.store(replace(exchange.account(message.subaccount), custom_imf_ppm=merged))
    return ACCEPTED
