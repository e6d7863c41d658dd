"""The service manager's watchdog: one datagram on $NOTIFY_SOCKET, and nothing where there is none.

READY=1 after the first tick, WATCHDOG=1 after every tick, STOPPING=1 at the end. A blind tick
counts: a restart does not bring a node back, and the guard must stay to page.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"


def tell_systemd(state: str) -> None:
    """Say a state such as READY=1; a manager that does not listen is no fault of the guard."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket, as Linux writes it
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        datagram.sendto(state.encode(), socket.MSG_DONTWAIT, address)
