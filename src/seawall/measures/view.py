"""What measures look at: one observation with its margins, and the rule file's values beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seawall import margin, stress, units
from seawall.account import PARENTS, Observation
from seawall.errors import MissingParameter
from seawall.margin import Risk
from seawall.measures.ledger import Ledger
from seawall.measures.spec import NoData, Value
from seawall.scenario import Buffer, Caps, Scenario
from seawall.stress import Footing
from seawall.units import Ppm, QuoteQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Whose value a rule test says: a measure with its scenario, of one instance or of all."""

    measure: str
    scenario: str | None = None
    instance: str | None = None  # as an Instance reads; None is every one


Overrides = Mapping[Override, Value]
NO_OVERRIDES: Overrides = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One observation with what every measure needs of it.

    `risks` and `footings` are by subaccount number; a subaccount that lacks a price or a parameter
    is NoData in both, and the others stand. `overrides` are values that a rule test says; a guard
    over a real account has none.
    """

    observation: Observation
    risks: Mapping[int, Risk | NoData]
    footings: Mapping[int, Footing | NoData]
    buffer: Buffer
    caps: Caps
    scenarios: Mapping[str, Scenario]
    price_band: Ppm
    ledger: Ledger
    overrides: Overrides = field(default_factory=dict)

    @staticmethod
    def of(
        observation: Observation,
        *,
        buffer: Buffer,
        caps: Caps,
        scenarios: Mapping[str, Scenario],
        price_band: Ppm,
        ledger: Ledger,
        overrides: Overrides = NO_OVERRIDES,
    ) -> View:
        """The view of an observation, seen or hypothetical."""
        risks: dict[int, Risk | NoData] = {}
        footings: dict[int, Footing | NoData] = {}
        funding = observation.advice.funding
        for subaccount in observation.subaccounts:
            number = subaccount.number
            try:
                now = margin.risk(subaccount, observation.markets)
                risks[number] = now
                footings[number] = stress.footing(subaccount, observation.markets, funding, now.nc)
            except MissingParameter as missing:
                risks[number] = footings[number] = NoData(reason=f"{number}: {missing}")
        return View(
            observation=observation,
            risks=risks,
            footings=footings,
            buffer=buffer,
            caps=caps,
            scenarios=scenarios,
            price_band=price_band,
            ledger=ledger,
            overrides=overrides,
        )

    def seeing(self, observation: Observation) -> View:
        """The same eyes on another observation, which no rule test has said a value of."""
        return View.of(
            observation,
            buffer=self.buffer,
            caps=self.caps,
            scenarios=self.scenarios,
            price_band=self.price_band,
            ledger=self.ledger,
        )

    def risk(self, number: int | None) -> Risk | NoData:
        """Margins of one subaccount; NoData where it is not guarded or cannot be told."""
        if number is None:
            return NoData(reason="margins belong to one subaccount: name it")
        return self.risks.get(number, NoData(reason=f"{number}: not a guarded subaccount"))

    def footing(self, number: int | None) -> Footing | NoData:
        """What scenarios see of one subaccount; NoData as for its risk."""
        if number is None:
            return NoData(reason="margins belong to one subaccount: name it")
        return self.footings.get(number, NoData(reason=f"{number}: not a guarded subaccount"))

    def buffer_of(self, number: int) -> QuoteQuantums:
        """The buffer of a subaccount in quote quantums, rounded up: children have their own."""
        whole = self.buffer.parent if number < PARENTS else self.buffer.child
        return units.quote_up(whole)
