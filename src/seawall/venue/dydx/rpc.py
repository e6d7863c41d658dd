"""One node's gRPC: a channel that reconnects fast, a deadline on every call, a pinned height.

Stubs are called by path, so that a method newer than the installed protobuf package can be asked
too. A grpc.aio channel is used throughout: the stock client's blocking calls freeze the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest

from seawall.errors import MalformedAnswer, TornState, VenueUnreachable

HEIGHT_HEADER = "x-cosmos-block-height"
DEADLINE_S = 2.0
PAGE_LIMIT = 100
PAGES_MOST = 100  # a next_key that never ends is a fault of the node
ANSWER_BYTES_MOST = 16 * 1024 * 1024
LOOPBACK = ("localhost", "127.0.0.1", "::1")

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # gRPC's own backoff grows to two minutes; a guard needs the node back within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", ANSWER_BYTES_MOST),
)

R = TypeVar("R", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Method(Generic[R]):
    """A unary method: its path and what it answers with."""

    path: str
    answer: type[R]


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """An answer and the committed height it was made at; None where the node did not say."""

    message: R
    height: int | None


@dataclass(frozen=True, slots=True)
class Raw:
    """An already encoded message, for methods that the protobuf package does not know."""

    encoded: bytes


def is_loopback(url: str) -> bool:
    """Whether an address names this machine."""
    return urlsplit(url if "//" in url else f"//{url}").hostname in LOOPBACK


def is_plaintext(url: str) -> bool:
    """Whether the node is spoken to without TLS: http:// said so, or a bare loopback address."""
    scheme = urlsplit(url if "//" in url else f"//{url}").scheme
    return scheme == "http" or (scheme == "" and is_loopback(url))


def target_of(url: str) -> str:
    """host:port of a node's address, with the port of its scheme where none is written."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port or (80 if is_plaintext(url) else 443)}"


def status_of(error: VenueUnreachable) -> grpc.StatusCode | None:
    """The gRPC status behind an error; None where the node was not asked."""
    cause = error.__cause__
    return cause.code() if isinstance(cause, grpc.aio.AioRpcError) else None


class Wire:
    """A channel to one node; every call raises VenueUnreachable within its deadline."""

    def __init__(self, url: str) -> None:
        self.url = url
        options = list(CHANNEL_OPTIONS)
        if is_plaintext(url):
            # A loopback node must not be asked through the machine's web proxy.
            options.append(("grpc.enable_http_proxy", 0))
            self._channel = grpc.aio.insecure_channel(target_of(url), options=options)
        else:
            self._channel = grpc.aio.secure_channel(
                target_of(url), grpc.ssl_channel_credentials(), options=options
            )

    async def ask(
        self,
        method: Method[R],
        request: Message | Raw,
        *,
        height: int | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Answer[R]:
        """One call, at a committed height where one is given."""
        call = self._channel.unary_unary(
            method.path, request_serializer=_encode, response_deserializer=None
        )
        pinned = () if height is None else ((HEIGHT_HEADER, str(height)),)
        try:
            running = call(request, timeout=deadline_s, metadata=pinned)
            encoded = await running
            headers = dict(await running.initial_metadata())
        except grpc.aio.AioRpcError as error:
            raise VenueUnreachable(
                f"{self.url} {method.path}: {error.code().name} {error.details() or ''}".rstrip()
            ) from error
        try:
            message = method.answer()
            message.ParseFromString(encoded)
            said = headers.get(HEIGHT_HEADER)
            return Answer(message, None if said is None else int(said))
        except (DecodeError, ValueError) as error:
            raise MalformedAnswer(f"{self.url} {method.path}: {error}") from error

    async def read(self, method: Method[R], request: Message | Raw, height: int) -> R:
        """One pinned read; raises TornState unless the node answered for exactly that height."""
        answer = await self.ask(method, request, height=height)
        if answer.height != height:
            said = "no height" if answer.height is None else f"height {answer.height}"
            raise TornState(f"{self.url} {method.path}: asked at height {height}, {said} came back")
        return answer.message

    async def pages(
        self,
        method: Method[R],
        request: Callable[[PageRequest], Message],
        items: Callable[[R], Iterable[T]],
        height: int,
    ) -> tuple[T, ...]:
        """All pages of a paged query at one height, `next_key` followed to its end."""
        found: list[T] = []
        key = b""
        for _ in range(PAGES_MOST):
            message = await self.read(
                method, request(PageRequest(key=key, limit=PAGE_LIMIT)), height
            )
            found.extend(items(message))
            key = bytes(getattr(message, "pagination").next_key)  # noqa: B009 - every paged answer has it
            if not key:
                return tuple(found)
        raise MalformedAnswer(f"{self.url} {method.path}: more than {PAGES_MOST} pages")

    async def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        await self._channel.close(None)


def _encode(request: Message | Raw) -> bytes:
    return request.encoded if isinstance(request, Raw) else request.SerializeToString()
