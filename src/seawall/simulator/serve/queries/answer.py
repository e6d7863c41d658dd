"""The form of a query: a path, the request's type, and a function of a committed state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message
from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest, PageResponse

from seawall.simulator.chain import ChainSettings
from seawall.simulator.state import State

PAGE_ITEMS = 100  # at most, and the default
KEY_BYTES = 8

Request = TypeVar("Request", bound=Message)
Item = TypeVar("Item")


class NotFound(Exception):
    """What was asked for is not on the chain; the text is the node's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What does not change from block to block."""

    settings: ChainSettings
    version: str  # of the node, as GetNodeInfo tells it


class Answerer(Protocol):
    """A query with its types erased: bytes to bytes."""

    @property
    def path(self) -> str:
        """Full name of the method, as on the wire."""

    def respond(self, constants: Constants, state: State, request: bytes) -> bytes:
        """The serialized answer; raises NotFound, and DecodeError for bytes of another message."""


@dataclass(frozen=True, slots=True)
class Query(Generic[Request]):
    """One method: how to read its request and what to answer."""

    path: str
    request: type[Request]
    answer: Callable[[Constants, State, Request], Message]

    def respond(self, constants: Constants, state: State, request: bytes) -> bytes:
        """The serialized answer; raises NotFound, and DecodeError for bytes of another message."""
        return self.answer(constants, state, self.request.FromString(request)).SerializeToString()


def page(items: Sequence[Item], request: PageRequest) -> tuple[Sequence[Item], PageResponse]:
    """The page asked for, with the key of the next one (empty on the last).

    Like the chain's it holds at most 100 items; the key's form is the venue's own.
    """
    ordered = items[::-1] if request.reverse else items
    first = int.from_bytes(request.key, "big") if request.key else request.offset
    limit = min(request.limit or PAGE_ITEMS, PAGE_ITEMS)
    end = first + limit
    response = PageResponse()
    if end < len(ordered):
        response.next_key = end.to_bytes(KEY_BYTES, "big")
    if request.count_total or request.limit == 0:
        response.total = len(ordered)
    return ordered[first:end], response
