"""The referee's own arithmetic: margin, acceptance and liquidation in exact integers and fractions.

Written from the formulas of reference MARGIN.md alone; it shares nothing with `seawall.margin`, so
that a mistake there is not also the judge's. Amounts are quote quantums, sizes signed base
quantums, prices oracle integers, rates ppm; every function says which way it rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from seawall.simulator.markets import LiquidationConfig, MarketSpec

MILLION = 1_000_000
SUBTICKS_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What margin needs to know of a perpetual at one moment.

    `worth` / `unworth` turn base quantums into quote quantums: the oracle price with its power of
    ten, split so that both are integers (MARGIN.md 1.1).
    """

    perpetual_id: int
    worth: int
    unworth: int
    funding_index: int
    open_interest: int
    initial_ppm: int
    maintenance_ppm: int
    lower_cap: int = 0
    upper_cap: int = 0


class Held(NamedTuple):
    """A position as stored: size, the funding index it was settled at, and a balance of its own."""

    perpetual_id: int
    quantums: int
    funding_index: int
    quote_balance: int = 0


class Risk(NamedTuple):
    """Net collateral, initial and maintenance requirement of a settled account."""

    nc: int
    imr: int
    mmr: int

    @property
    def is_liquidatable(self) -> bool:
        """Strictly below maintenance, with a position (MARGIN.md 2.3)."""
        return self.mmr > 0 and self.mmr > self.nc


class Verdict(StrEnum):
    """The chain's words for an update it judges."""

    SUCCESS = "Success"
    NEWLY_UNDERCOLLATERALIZED = "NewlyUndercollateralized"
    STILL_UNDERCOLLATERALIZED = "StillUndercollateralized"
    VIOLATES_ISOLATION = "ViolatesIsolatedSubaccountConstraints"
    BLOCKED = "WithdrawalsAndTransfersBlocked"


TermsById = Mapping[int, Terms]


def terms_of(spec: MarketSpec, price: int, funding_index: int, open_interest: int) -> Terms:
    """The terms of a market at an oracle price."""
    return worth_terms(
        perpetual_id=spec.perpetual_id,
        price=price,
        shift=spec.notional_shift,
        funding_index=funding_index,
        open_interest=open_interest,
        initial_ppm=spec.tier.initial_margin_ppm,
        maintenance_ppm=spec.tier.maintenance_fraction_ppm,
        lower_cap=spec.tier.open_interest_lower_cap,
        upper_cap=spec.tier.open_interest_upper_cap,
    )


def worth_terms(
    *,
    perpetual_id: int,
    price: int,
    shift: int,
    funding_index: int,
    open_interest: int,
    initial_ppm: int,
    maintenance_ppm: int,
    lower_cap: int,
    upper_cap: int,
) -> Terms:
    """Terms from a price and the power of ten that turns size times price into quote quantums."""
    return Terms(
        perpetual_id=perpetual_id,
        worth=price * 10 ** max(shift, 0),
        unworth=10 ** max(-shift, 0),
        funding_index=funding_index,
        open_interest=open_interest,
        initial_ppm=initial_ppm,
        maintenance_ppm=maintenance_ppm,
        lower_cap=lower_cap,
        upper_cap=upper_cap,
    )


def notional(terms: Terms, quantums: int) -> int:
    """Oracle notional with the sign of the size, rounded toward zero (MARGIN.md 1.1)."""
    if quantums < 0:
        return -(-quantums * terms.worth // terms.unworth)
    return quantums * terms.worth // terms.unworth


def base_for(terms: Terms, quote: int) -> int:
    """Base quantums worth `quote` >= 0 at the oracle, rounded down (MARGIN.md 1.2).

    The chain scales first and divides by the price second; with both rounded down the order does
    not matter, so one division gives the same integer.
    """
    return quote * terms.unworth // terms.worth


def funding_owed(held: Iterable[Held], terms: TermsById) -> int:
    """Funding to settle, > 0 received: one floor over the sum of all positions (MARGIN.md 2.1)."""
    return funding_owed_ppm(held, terms) // MILLION


def funding_owed_ppm(held: Iterable[Held], terms: TermsById) -> int:
    """The same before it is rounded, in 10^-6 quote quantums."""
    return sum(
        -(terms[one.perpetual_id].funding_index - one.funding_index) * one.quantums for one in held
    )


def maintenance(terms: Terms, size: int) -> int:
    """Maintenance requirement of a notional >= 0: two ceilings, base fraction (MARGIN.md 2.2)."""
    initial = -(-size * terms.initial_ppm // MILLION)
    return -(-initial * terms.maintenance_ppm // MILLION)


def initial_ppm(terms: Terms, custom_ppm: int = 0) -> int:
    """Initial fraction after open-interest scaling and custom leverage (MARGIN.md 2.2)."""
    base, lower, upper = terms.initial_ppm, terms.lower_cap, terms.upper_cap
    open_notional = notional(terms, terms.open_interest)
    if upper == 0 or open_notional <= lower:
        scaled = base
    elif open_notional >= upper:
        scaled = MILLION
    else:
        scaled = base + (MILLION - base) * (open_notional - lower) // (upper - lower)
    return max(scaled, custom_ppm)


def initial(terms: Terms, size: int, custom_ppm: int = 0) -> int:
    """Initial requirement of a notional >= 0, rounded up (MARGIN.md 2.2)."""
    return -(-size * initial_ppm(terms, custom_ppm) // MILLION)


def risk(
    usdc: int, held: Iterable[Held], terms: TermsById, custom: Mapping[int, int] | None = None
) -> Risk:
    """NC, IMR and MMR of a subaccount; funding is settled on the way (MARGIN.md 2.3)."""
    positions = tuple(held)
    nc = usdc + funding_owed(positions, terms)
    imr = mmr = 0
    for one in positions:
        market = terms[one.perpetual_id]
        signed = notional(market, one.quantums)
        nc += signed + one.quote_balance
        mmr += maintenance(market, abs(signed))
        imr += initial(market, abs(signed), custom.get(one.perpetual_id, 0) if custom else 0)
    return Risk(nc, imr, mmr)


def health(usdc: int, held: tuple[Held, ...], terms: TermsById) -> tuple[int, int]:
    """NC and MMR only: what the liquidation daemon computes for every account in every block."""
    owed = mmr = 0
    nc = usdc
    for perpetual_id, quantums, index, balance in held:
        market = terms[perpetual_id]
        owed -= (market.funding_index - index) * quantums
        size = abs(quantums) * market.worth // market.unworth
        nc += (size if quantums > 0 else -size) + balance
        below = -size * market.initial_ppm // MILLION  # minus the first ceiling
        mmr -= below * market.maintenance_ppm // MILLION
    return nc + owed // MILLION, mmr


def is_riskier(new: Risk, old: Risk) -> bool:
    """Whether `new` is strictly riskier than `old` in the chain's order (MARGIN.md 2.3)."""
    if old.mmr == 0 and new.mmr == 0:
        return new.nc < old.nc
    left, right = old.nc * new.mmr, new.nc * old.mmr
    return left > right if left != right else new.mmr > old.mmr


def judge(old: Risk, new: Risk) -> Verdict:
    """Whether an update of a settled account is accepted (MARGIN.md 2.5, step 5)."""
    if new.nc >= new.imr:
        return Verdict.SUCCESS
    refused = (
        Verdict.NEWLY_UNDERCOLLATERALIZED
        if old.nc >= old.imr
        else Verdict.STILL_UNDERCOLLATERALIZED
    )
    if new.mmr > old.mmr:
        return refused
    if new.mmr == 0 or old.mmr == 0:
        grows_flat = new.mmr == 0 and old.mmr == 0 and new.nc > old.nc
        return Verdict.SUCCESS if grows_flat else refused
    return refused if is_riskier(new, old) else Verdict.SUCCESS


def fill_quote(subticks: int, quantums: int, conversion_exponent: int) -> int:
    """Quote quantums exchanged by a fill of `quantums` > 0, rounded down (MARGIN.md 1.3)."""
    exchanged = subticks * quantums
    if conversion_exponent >= 0:
        return int(exchanged * 10**conversion_exponent)
    return int(exchanged // 10**-conversion_exponent)


def fee(quote: int, fee_ppm: int) -> int:
    """Fee on a fill, rounded up, so that a rebate shrinks (MARGIN.md 1.3)."""
    return -(-quote * fee_ppm // MILLION)


def liquidation_bounds(terms: Terms, quantums: int, limits: LiquidationConfig) -> tuple[int, int]:
    """Least and greatest notional that one attempt may close of a position (MARGIN.md 4.2)."""
    size = abs(notional(terms, quantums))
    least = min(limits.min_position_notional, size)
    return least, max(least, size * limits.max_position_portion_ppm // MILLION)


def covers(fund: int, insured: int) -> bool:
    """Whether an insurance fund can take a fill that pays it `insured`, < 0 drawn from it."""
    return insured >= 0 or fund + insured >= 0


def liquidation_size(
    terms: Terms, quantums: int, step: int, limits: LiquidationConfig, liquidated_already: int
) -> int:
    """Base quantums > 0 that one attempt may close of a position (MARGIN.md 4.2)."""
    held = abs(quantums)
    size = abs(notional(terms, quantums))
    _, portion = liquidation_bounds(terms, quantums, limits)
    cap = min(portion, limits.subaccount_max_notional - liquidated_already)
    if size <= cap or held <= step:
        return held
    whole_steps = base_for(terms, max(cap, 0)) // step * step
    return min(max(whole_steps, step), held)


def fillable_price(
    account: Risk, terms: Terms, quantums: int, limits: LiquidationConfig
) -> Fraction:
    """Worst price of a liquidation in quote quantums per base quantum, exact (MARGIN.md 4.3)."""
    ratio = 1 - Fraction(account.nc, account.mmr)
    rating = Fraction(limits.bankruptcy_adjustment_ppm, MILLION) * ratio
    rating = min(max(rating, Fraction(0)), Fraction(1))
    signed = notional(terms, quantums)
    spread = Fraction(limits.spread_to_maintenance_ppm, MILLION)
    return (signed - rating * spread * maintenance(terms, abs(signed))) / quantums


def subticks_on_tick(
    price: Fraction, conversion_exponent: int, subticks_per_tick: int, *, is_long: bool
) -> int:
    """Order price of a liquidation: a long's is rounded up, a short's down, then clamped."""
    exact = price / Fraction(10) ** conversion_exponent
    tick = subticks_per_tick
    subticks = -(-ceil(exact) // tick) * tick if is_long else floor(exact) // tick * tick
    return min(max(subticks, tick), SUBTICKS_MAX - SUBTICKS_MAX % tick)


def bankruptcy_quote(account: Risk, terms: Terms, quantums: int, delta: int) -> int:
    """Signed quote amount that closes `delta` at unchanged NC/MMR, rounded up (MARGIN.md 4.4)."""
    assert delta != 0
    assert (delta > 0) != (quantums > 0)
    assert abs(delta) <= abs(quantums)
    before, after = notional(terms, quantums), notional(terms, quantums + delta)
    released = maintenance(terms, abs(before)) - maintenance(terms, abs(after))
    return -(after - before) - account.nc * released // account.mmr


def insurance_delta(quote: int, bankruptcy: int, max_fee_ppm: int) -> int:
    """What a liquidation fill pays to the insurance fund, < 0 is drawn from it (MARGIN.md 4.5).

    `quote` is the account's signed USDC change of the fill, `bankruptcy` that of closing the same
    size at the bankruptcy price.
    """
    better_by = quote - bankruptcy
    if better_by <= 0:
        return better_by
    return min(abs(quote) * max_fee_ppm // MILLION, better_by)


def funding_rate(
    premiums: Sequence[int], samples: int, default_ppm: int, terms: Terms, clamp_ppm: int
) -> int:
    """Rate in ppm per 8 hours of a funding epoch (MARGIN.md 2.6).

    Premiums in ppm are averaged over at least `samples` of them, absent ones counting as zero, and
    the rate is kept within what the tier allows.
    """
    premium = _toward_zero(sum(premiums), max(len(premiums), samples, 1))
    bound = clamp_bound(terms, clamp_ppm)
    return min(max(premium + default_ppm, -bound), bound)


def clamp_bound(terms: Terms, clamp_ppm: int) -> int:
    """The largest rate or premium in ppm, of either sign, that a tier allows (MARGIN.md 2.6)."""
    below = terms.initial_ppm - terms.initial_ppm * terms.maintenance_ppm // MILLION
    return clamp_ppm * below // MILLION


def median(values: Sequence[int], length: int) -> int:
    """The median of values filled up with zeros; that of two middle ones is rounded from zero."""
    filled = sorted((*values, *(0 for _ in range(length - len(values)))))
    middle = len(filled) // 2
    if len(filled) % 2:
        return filled[middle]
    both = filled[middle - 1] + filled[middle]
    return -(-both // 2) if both > 0 else both // 2


def funding_index_delta(rate_8h_ppm: int, price: int, shift: int, seconds: int = 3_600) -> int:
    """Change of the funding index over `seconds` at a rate in ppm per 8 hours (MARGIN.md 2.6)."""
    return _toward_zero(_scale(seconds * rate_8h_ppm * price, shift), 28_800)


def _scale(value: int, shift: int) -> int:
    """value x 10^shift, rounded toward zero."""
    return int(value * 10**shift) if shift >= 0 else _toward_zero(value, int(10**-shift))


def _toward_zero(numerator: int, denominator: int) -> int:
    """Quotient rounded toward zero; the denominator is positive."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
