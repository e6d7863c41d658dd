"""Several sends side by side: begun in order, none waiting for another's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence


async def abreast(sends: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Begin all in order and wait for all; one that raises keeps no other from being sent.

    Where no loop runs nothing can wait, and each is done in its turn.
    """
    if len(sends) < 2 or not _may_wait():
        for send in sends:
            await send()
        return
    for ended in await asyncio.gather(*(send() for send in sends), return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


def _may_wait() -> bool:
    """Whether a loop runs this; a venue in process is called without one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
