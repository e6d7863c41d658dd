"""What real clients recorded of the indexer is read by our own parsers, message by message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from seawall.errors import MalformedAnswer
from seawall.venue.dydx import fields, records
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.indexer import Indexer
from seawall.venue.dydx.mirror import Channel, Mirror
from tests.venue.dydx.mirrors import Clock

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "dydx" / "indexer_samples"
FILES = sorted(SAMPLES.glob("*/*.json"))
CHANNELS = {channel.value for channel in Channel}
OWNER = "dydx1sample"

pytestmark = pytest.mark.skipif(not FILES, reason="the recorded samples are not here")


class Grids(dict[str, Grid]):
    """A fine grid for whatever market a sample names."""

    def __missing__(self, ticker: str) -> Grid:
        return Grid(
            ticker=ticker,
            perpetual_id=len(self),
            clob_pair_id=len(self),
            atomic_resolution=-18,
            quantum_conversion_exponent=-30,
        )


def read(path: Path) -> Mapping[str, object]:
    said = json.loads(path.read_text())
    return said if isinstance(said, dict) else {}


def tickers_in(said: object) -> set[str]:
    """Everything that looks like a market's name, so that a mirror knows its grid."""
    if isinstance(said, dict):
        found = {str(key) for key in said} | set().union(*map(tickers_in, said.values()))
        return {name for name in found if name.endswith("-USD")}
    if isinstance(said, list):
        return set().union(*map(tickers_in, said))
    return {said} if isinstance(said, str) and said.endswith("-USD") else set()


# Recorded on test networks before the chain went live: orders without flags, fills without fees.
OLD = frozenset(
    {
        "AccountsChannelMock.channel_data.json",
        "AccountsChannelMock.fillsReceived.json",
        "AccountsChannelMock.subscribed.json",
        "AccountsChannelMock.v4_batched.json",
        "AccountsChannelMock.v4_channel_data_with_orders.json",
        "AccountsChannelMock.v4_subaccounts_update_3.json",
        "AccountsChannelMock.v4_subaccounts_update_4.json",
        "AccountsChannelMock.v4_subaccounts_update_5.json",
        "AccountsChannelMock.v4_subscribed.json",
        "FillsMock.v4_channel_data.json",
        "OrderbookChannelMock.load_test_3_channel_batch_data.json",
    }
)
MESSAGES = [path for path in FILES if read(path).get("channel") in CHANNELS]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.name)
def test_a_message_of_a_channel_that_we_hear_is_understood(path: Path) -> None:
    if path.name in OLD:
        with pytest.raises(MalformedAnswer, match="is NoneType"):
            hear(read(path))  # named and refused, never half read
    else:
        hear(read(path))


def hear(said: Mapping[str, object]) -> None:
    """A mirror that knows the sample's markets hears it."""
    channel, name = Channel(str(said["channel"])), str(said.get("id", said["channel"]))
    if channel is Channel.SUBACCOUNTS:
        name = f"{OWNER}/0"
    mirror = Mirror(OWNER, Clock())
    grids = Grids()
    mirror.know(grids[ticker] for ticker in sorted(tickers_in(said) | {"ETH-USD"}))
    mirror.guard([0])
    mirror.watched = frozenset(tickers_in(said))
    contents = said["contents"]
    if said["type"] == "subscribed":
        mirror.apply_snapshot(channel, name, fields.mapping(contents, "contents"))
        return
    if channel is not Channel.BLOCK_HEIGHT:
        mirror.apply_snapshot(channel, name, {})
    for part in contents if isinstance(contents, list) else [contents]:
        mirror.apply_update(channel, name, fields.mapping(part, "contents"))


async def asked(body: bytes, call: str) -> object:
    """What an indexer that answers with the sample makes of it."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    indexer = Indexer(["https://host"], transport=transport)
    try:
        match call:
            case "subaccounts":
                return await indexer.subaccounts(OWNER)
            case "historicalFunding":
                return await indexer.funding_rates("ETH-USD")
            case "height":
                return await indexer.height()
            case "fills":
                rows = await indexer.fills(OWNER, 0)
                grids = Grids()
                return [records.fill(0, grids[fields.text(r, "market")], r, None) for r in rows]
            case _:
                rows = await indexer.transfers(OWNER, 0)
                return [records.transfer(OWNER, 0, frozenset({0}), row) for row in rows]
    finally:
        await indexer.close()


ANSWERS = [
    (path, key)
    for path in FILES
    for key in ("subaccounts", "historicalFunding", "fills", "transfers", "height")
    if key in read(path) and "channel" not in read(path)
]


@pytest.mark.parametrize(("path", "key"), ANSWERS, ids=lambda part: getattr(part, "name", part))
async def test_an_answer_of_a_path_that_we_ask_is_understood(path: Path, key: str) -> None:
    body = json.dumps(read(path)).encode()
    if path.name in OLD:
        with pytest.raises(MalformedAnswer, match="is NoneType"):
            await asked(body, key)
        return
    found = await asked(body, key)

    assert found or read(path)[key] == []


def test_samples_of_every_kind_are_there() -> None:
    assert len(MESSAGES) >= 40
    assert {key for _, key in ANSWERS} == {
        *("subaccounts", "historicalFunding", "fills", "transfers", "height"),
    }
