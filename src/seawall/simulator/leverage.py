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
    pairs = [pair for pair, _ in message.entries]
    if not pairs or len(set(pairs)) != len(pairs):
        return clob(11001, "leverage update needs entries, one for a clob pair")
    for pair, ppm in message.entries:
        market = exchange.market_of_clob(pair)
        if market is None:
            return clob(8, f"clob pair {pair} does not exist")
        if not 0 < ppm <= MILLION:
            return clob(11001, f"initial fraction {ppm} ppm is not within 0 and 1,000,000")
        least = market.spec.tier.initial_margin_ppm
        if ppm < least:
            return clob(11003, f"initial fraction {ppm} ppm is below the market's {least}")
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
