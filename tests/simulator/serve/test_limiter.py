"""REST's rate limits and headers: what is left, when it is whole again, and who is refused."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from seawall.simulator.serve import limiter
from tests.simulator.serve.looking import Look, looking


@pytest.fixture
def look() -> Iterator[Look]:
    with looking() as seen:
        yield seen


def test_every_answer_says_what_is_left_and_when_it_is_whole_again(look: Look) -> None:
    now = look.venue.do(lambda: look.venue.server.node.state.time)
    answers = [look.get("height") for _ in range(2)]

    assert [one.headers["RateLimit-Remaining"] for one in answers] == ["99", "98"]
    assert {one.headers["RateLimit-Limit"] for one in answers} == {"100"}
    assert {one.headers["RateLimit-Reset"] for one in answers} == {str(now + 10_000)}


def test_the_hundred_and_first_in_ten_seconds_is_refused_in_milliseconds(look: Look) -> None:
    codes = [look.get("height").status_code for _ in range(101)]
    refused = look.get("height")
    other = look.get("orders").status_code
    look.next(10)  # ten seconds of the venue's clock
    after = look.get("height").status_code

    assert codes == [200] * 100 + [429]
    assert refused.json() == {"errors": [{"msg": "Too many requests"}]}
    assert refused.headers["Retry-After"] == "10000"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert (other, after) == (200, 200)


def test_a_venue_that_stands_still_goes_by_the_walls_clock(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "POINTS", 1)
    codes = [look.get("height").status_code for _ in range(2)]
    later = monotonic() + 10
    monkeypatch.setattr(limiter, "monotonic", lambda: later)

    assert codes == [200, 429]
    assert look.get("height").status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "limit", "left"),
    [
        ("fills", {}, "100", "99"),
        ("fills/parentSubaccountNumber", {"parentSubaccountNumber": 0}, "100", "99"),
        ("candles/perpetualMarkets/BTC-USD", {"resolution": "1MIN"}, "1000", "999"),
        ("sparklines", {"timePeriod": "ONE_DAY"}, "100", "99"),
        ("historical-pnl", {}, "100", "99"),
        ("fills", {"page": 4, "limit": 500}, "100", "98"),  # deep pages cost more
    ],
)
def test_lists_have_budgets_of_their_own(
    look: Look, path: str, query: dict[str, object], limit: str, left: str
) -> None:
    look.get("height")
    headers = look.get(path, **query).headers

    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == (limit, left)


def test_funding_of_markets_and_accounts_share_one_budget(look: Look) -> None:
    look.get("historicalFunding/BTC-USD")

    assert look.get("fundingPayments").headers["RateLimit-Remaining"] == "98"


def test_the_venues_own_calls_are_free(look: Look) -> None:
    url = f"{look.venue.endpoints.rest}/seawall/state"
    answers = [look.client.get(url) for _ in range(102)]

    assert {one.status_code for one in answers} == {200}
    assert "RateLimit-Limit" not in answers[0].headers


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("height", 1),
        ("perpetualMarkets", 1),
        ("historicalFunding/BTC-USD", 10),
        ("historical-pnl", 10),
    ],
)
def test_answers_may_be_kept_for_a_second_and_slow_ones_for_ten(
    look: Look, path: str, seconds: int
) -> None:
    assert look.get(path).headers["Cache-Control"] == f"public, max-age={seconds}"
