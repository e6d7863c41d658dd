"""Backstops: reduce-only stops that rest on the chain and close the book if the guard dies.

RULES.md section 6. `wanted` says which stop each position should have, `keeping` what to place and
what to cancel so that it has it.
"""

from seawall.backstop.keeping import Move, is_stop, next_move, stops_of
from seawall.backstop.wanted import NoStop, Stop, wanted

__all__ = ["Move", "NoStop", "Stop", "is_stop", "next_move", "stops_of", "wanted"]
