"""What `seawall keys check` finds: permissions as they stand, and what the chain says to probes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from seawall import words
from seawall.account import KeyReach, Missing
from seawall.cli.owner import trading_key
from seawall.settings import Settings
from seawall.units import usd
from seawall.venue.dydx.desk import Desk, Given
from seawall.venue.dydx.key_state import KeyState, Permit, judge
from seawall.venue.dydx.keys import load_key
from seawall.venue.dydx.orders import Signer
from seawall.venue.dydx.proof import Account, Finding, Verdict, prove


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatFound:
    """The float wallet and what is in it, in dollars as text."""

    address: str
    balance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the keys stand; `findings` are empty where nothing was tried."""

    address: str
    state: KeyState
    markets: tuple[str, ...]  # tickers that the key may trade
    findings: tuple[Finding, ...]
    float_wallet: FloatFound | None

    @property
    def is_well(self) -> bool:
        """Whether the key can trade what it names, and certainly nothing more."""
        state, tried = self.state, self.findings
        if state.faults or state.beyond or state.authenticator is None:
            return False
        return all(each.verdict is _expected(each) for each in tried)


async def examine(settings: Settings, *, tries: bool) -> Report:
    """The report for the keys of the settings; raises SettingsError or VenueError."""
    public_key = trading_key(settings, None)
    assert settings.keys.trading is not None
    key = load_key(settings.keys.trading, "keys.trading")
    owner = settings.account.address
    permit = Permit(
        owner=owner,
        address=key.address,
        key=public_key,
        wanted=settings.keys.trading_authenticator,
    )
    async with Desk(settings.venue.nodes, owner) as desk:
        await desk.check_chain(settings.venue.chain_id)
        given = await desk.given()
        state = judge(given.permissions, permit, is_active=given.is_active)
        tickers = {number: ticker for ticker, number in (await desk.markets()).items()}
        findings: tuple[Finding, ...] = ()
        account = _account(settings, state, given)
        if tries and account is not None:
            signer = Signer(
                chain_id=settings.venue.chain_id,
                key=key,
                account_number=given.account.number,
                authenticator=state.authenticator,
            )
            findings = await prove(desk.send, signer, account)
        return Report(
            address=key.address,
            state=state,
            markets=_tickers(state.reach, tickers),
            findings=findings,
            float_wallet=await _float_wallet(settings, desk),
        )


def lines_of(report: Report) -> Iterator[str]:
    """The report for people."""
    state = report.state
    yield f"trading key  {report.address}"
    which = "none" if state.authenticator is None else str(state.authenticator)
    yield f"permission   {which}"
    if isinstance(state.reach, KeyReach):
        reach = state.reach
        yield f"subaccounts  {_listed(reach.subaccounts)}"
        yield f"markets      {', '.join(report.markets) or _listed(reach.clob_pairs)}"
    for what in state.beyond:
        yield f"TOO WIDE     it can {what}"
    for fault in state.faults:
        yield f"FAULT        {fault}"
    for each in report.findings:
        sign = "ok" if each.verdict is _expected(each) else "NOT OK"
        yield f"{sign:<11}  {each.what}: {each.said}"
    if report.float_wallet is not None:
        yield f"float        {report.float_wallet.address} holds {report.float_wallet.balance}"
    yield f"{'well: the key can trade, and nothing more' if report.is_well else 'NOT WELL'}"


def object_of(report: Report) -> dict[str, object]:
    """The report for programs."""
    reach = report.state.reach
    known = None if isinstance(reach, Missing) else reach
    return {
        "ok": report.is_well,
        "address": report.address,
        "permission": report.state.authenticator,
        "subaccounts": None if known is None else sorted(known.subaccounts or ()),
        "markets": None if known is None else list(report.markets),
        "beyond": list(report.state.beyond),
        "faults": list(report.state.faults),
        "tried": [asdict(each) for each in report.findings],
        "float": None if report.float_wallet is None else asdict(report.float_wallet),
    }


def _expected(finding: Finding) -> Verdict:
    return Verdict.ACCEPTED if finding.what.startswith("cancel") else Verdict.REFUSED


def _account(settings: Settings, state: KeyState, given: Given) -> Account | None:
    """Where the key is tried: the first subaccount and market that it reaches."""
    if state.authenticator is None:
        return None
    reach = KeyReach() if isinstance(state.reach, Missing) else state.reach
    numbers = reach.subaccounts if reach.subaccounts is not None else {settings.account.parent}
    pairs = reach.clob_pairs if reach.clob_pairs is not None else {0}
    return Account(
        owner=settings.account.address,
        subaccount=min(numbers, default=settings.account.parent),
        clob_pair=min(pairs, default=0),
        sequence=given.account.sequence,
        height=given.height,
    )


def _tickers(reach: KeyReach | Missing, tickers: dict[int, str]) -> tuple[str, ...]:
    if isinstance(reach, Missing) or reach.clob_pairs is None:
        return ()
    return tuple(tickers.get(number, str(number)) for number in sorted(reach.clob_pairs))


def _listed(allowed: frozenset[int] | None) -> str:
    if allowed is None:
        return "all"
    return ", ".join(str(number) for number in sorted(allowed)) or "none"


async def _float_wallet(settings: Settings, desk: Desk) -> FloatFound | None:
    if settings.keys.float_wallet is None:
        return None
    address = load_key(settings.keys.float_wallet, "keys.float").address
    wallet = await desk.wallet(address)
    return FloatFound(address=address, balance=words.cents(usd(wallet.balance)))
