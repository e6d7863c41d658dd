"""The chain's margin arithmetic, exact: what the chain would say about an account.

Formulas and roundings: reference MARGIN.md sections 2, 3 and 7 (dYdX v4-chain,
protocol/x/subaccounts/lib/updates.go, x/perpetuals/lib/lib.go, lib/margin/risk.go).
All amounts are quote quantums (10^-6 USDC), all fractions ppm, all sizes signed base quantums.
"""

from __future__ import annotations

from seawall.margin.liquidation import (
    Band,
    NoPrice,
    band,
    liquidation_price,
    move_left,
)
from seawall.margin.requirements import (
    USDC_ASSET,
    Markets,
    Risk,
    effective_imf_ppm,
    funding_clamp_ppm,
    initial_requirement,
    maintenance_fraction_ppt,
    maintenance_margin_ppm,
    maintenance_requirement,
    market_of,
    notional,
    open_interest_imf_ppm,
    risk,
    settle,
    settled_usdc,
    settlement_ppm,
    usdc_of,
)
from seawall.margin.updates import (
    Update,
    deposit_for_free_collateral,
    deposit_for_usage,
    is_riskier,
    judge_update,
    violates_isolation,
    with_fill,
    with_update,
    worst_close_subticks,
)

__all__ = [
    "USDC_ASSET",
    "Band",
    "Markets",
    "NoPrice",
    "Risk",
    "Update",
    "band",
    "deposit_for_free_collateral",
    "deposit_for_usage",
    "effective_imf_ppm",
    "funding_clamp_ppm",
    "initial_requirement",
    "is_riskier",
    "judge_update",
    "liquidation_price",
    "maintenance_fraction_ppt",
    "maintenance_margin_ppm",
    "maintenance_requirement",
    "market_of",
    "move_left",
    "notional",
    "open_interest_imf_ppm",
    "risk",
    "settle",
    "settled_usdc",
    "settlement_ppm",
    "usdc_of",
    "violates_isolation",
    "with_fill",
    "with_update",
    "worst_close_subticks",
]
