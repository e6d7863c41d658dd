"""Where a venue listens, and where it refuses to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from aiohttp import web

from seawall.errors import OperatorError
from seawall.simulator.serve.launch import Cast, calm_path, produce
from seawall.simulator.serve.server import Server, ServeSettings, bind
from seawall.units import Millis
from tests.simulator.serve.running import flat_path, running


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "localhost", "example.org", ""])
def test_it_refuses_to_listen_where_others_could_reach_it(host: str) -> None:
    production = produce(flat_path(), Cast())

    with pytest.raises(OperatorError, match="loopback only"):
        Server(production.player, ServeSettings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_it_listens_on_any_loopback_address(host: str) -> None:
    with running(settings=ServeSettings(host=host)) as served:
        assert served.endpoints.node.startswith("[::1]:" if host == "::1" else host)


def test_ports_are_the_ones_asked_for_or_free_ones() -> None:
    with running() as first, running() as second:
        ports = {first.endpoints.grpc_port, first.endpoints.http_port}
        ports |= {second.endpoints.grpc_port, second.endpoints.http_port}
    free = min(ports)

    with running(settings=ServeSettings(http_port=free)) as served:
        assert served.endpoints.http_port == free
    assert len(ports) == 4


@pytest.mark.parametrize("option", ["--grpc-port", "--http-port"])
def test_a_taken_port_is_refused_with_its_number_and_the_remedy(taken: int, option: str) -> None:
    settings = (
        ServeSettings(grpc_port=taken)
        if option == "--grpc-port"
        else ServeSettings(http_port=taken)
    )

    async def start() -> None:
        async with Server(produce(flat_path(), Cast()).player, settings):
            pass

    with pytest.raises(OperatorError) as refused:
        asyncio.run(start())

    assert f"port {taken} on 127.0.0.1 is taken" in str(refused.value)
    assert option in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(OperatorError, match="a port is 0 to 65535"):
        bind("127.0.0.1", 70_000, "--http-port")


def test_what_is_accepted_has_no_delay() -> None:
    with bind("127.0.0.1", 0, "--http-port") as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY on such sockets


def test_the_same_seed_gives_the_same_stage() -> None:
    one = produce(calm_path(7, Millis(0)), Cast(seed=7, leverage=Decimal(8)))
    two = produce(calm_path(7, Millis(0)), Cast(seed=7, leverage=Decimal(8)))
    other = produce(calm_path(8, Millis(0)), Cast(seed=8, leverage=Decimal(8)))
    for production in (one, two, other):
        for _ in range(70):
            production.player.step()

    assert one.traders == two.traders
    assert one.traders != other.traders
    hashes = [p.player.chain.committed.hash for p in (one, two, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_traders_are_equal_and_a_float_wallet_only_where_wanted() -> None:
    plain = produce(flat_path(), Cast(accounts=2, equity=Decimal(10_000), leverage=Decimal(8)))
    rich = produce(flat_path(), Cast(accounts=0, float_dollars=Decimal(500)))

    state = plain.player.chain.committed
    first, second = (state.subaccount(key.address, 0) for key in plain.traders)
    assert plain.float_key is None
    assert (first.usdc, first.held) == (second.usdc, second.held)
    assert len(first.held) == 3
    assert state.risk(first).nc == 10_000_000_000
    assert rich.float_key is not None
    assert rich.player.chain.committed.wallets[rich.float_key.address].balance == 500_000_000


def test_a_client_that_is_gone_before_its_answer_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def prepare(self: web.WebSocketResponse, request: web.Request) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(web.WebSocketResponse, "prepare", prepare)

    with running() as served, pytest.raises(httpx.TransportError):
        httpx.get(f"{served.endpoints.rest}/v4/ws", trust_env=False)

    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []
