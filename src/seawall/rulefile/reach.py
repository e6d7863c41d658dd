"""What a policy reaches of an account: held markets without a rule, names that do not exist."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from seawall.policy import Flatten, Lock, Policy, ReduceAmount, ReduceUntil, Rule
from seawall.rulefile.fields import Known
from seawall.scenario import ANY_MARKET

Held = tuple[int, str]  # subaccount number and ticker of a position


def warnings_for(policy: Policy, held: Iterable[Held]) -> tuple[str, ...]:
    """One sentence for each position that no rule reaches, or that no rule may reduce."""
    said = []
    for number, ticker in dict.fromkeys(held):
        name = f"{number}/{ticker}"
        reaching = [rule for rule in policy.rules if _reaches(rule, number, ticker)]
        if not reaching:
            said.append(f"{name} is held and no rule's scope reaches it")
        elif ticker in policy.hands_off.markets or number in policy.hands_off.subaccounts:
            said.append(f"{name} is held and hands_off: it counts in margin and is never traded")
        elif not any(_may_reduce(rule) for rule in reaching):
            said.append(f"{name} is held and only watched: no rule that reaches it may reduce it")
    return tuple(said)


def _reaches(rule: Rule, number: int, ticker: str) -> bool:
    return rule.scope.has_market(ticker) and rule.scope.has_subaccount(number)


def _may_reduce(rule: Rule) -> bool:
    return any(
        isinstance(do, ReduceUntil | ReduceAmount | Flatten | Lock)
        for level in rule.levels
        for do in level.do
    )


def unknown_names(policy: Policy, known: Known) -> tuple[str, ...]:
    """Names of a loaded policy that account or venue no longer have: a page, not an error."""
    said = []
    if known.markets is not None:
        named = {f"scenario {s.name}": tuple(s.shocks) for s in policy.scenarios.values()}
        said += [
            f"{what}: the venue has no market {ticker}"
            for what, tickers in {**named, "caps": tuple(policy.caps.typed)}.items()
            for ticker in tickers
            if ticker != ANY_MARKET and ticker not in known.markets
        ]
    for rule in policy.rules:
        scope = rule.scope
        if known.markets is not None:
            said += [
                f"{rule.id}: the venue has no market {ticker}"
                for ticker in (*(scope.markets or ()), *scope.excluded)
                if ticker not in known.markets
            ]
        if known.subaccounts is not None:
            said += [
                f"{rule.id}: the account has no subaccount {number}"
                for number in scope.subaccounts or ()
                if number not in known.subaccounts
            ]
    return tuple(said)


def book_allowed(policy: Policy) -> Decimal | None:
    """The largest book that derived caps allow, in multiples of equity minus buffer.

    max_drawdown / (|shock| + slippage) at the mildest shock among the markets with a share: what
    a book of that market alone could be. None where no caps are derived.
    """
    derived = policy.caps.derived
    if derived is None:
        return None
    scenario = policy.scenarios[derived.scenario]
    losses = [
        abs(scenario.shock(ticker)) + scenario.slippage
        for ticker in derived.shares
        if ticker != ANY_MARKET or len(derived.shares) == 1
    ]
    assert min(losses) > 0
    return Decimal(derived.max_drawdown) / Decimal(min(losses))
