"""Where the command `seawall` begins: a Ctrl-C while it is still being loaded ends it quietly.

Imports nothing of ours at the top, since what is imported here is not protected yet.
"""

import os
import signal

INTERRUPTED = 130


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)  # nothing is open yet that an orderly end would close


signal.signal(signal.SIGINT, _leave)


def main() -> None:
    """Load the command line and hand over to it, and with it Ctrl-C."""
    from seawall.cli import main as command_line

    signal.signal(signal.SIGINT, signal.default_int_handler)
    command_line()
