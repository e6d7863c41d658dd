"""One tick of the guard, pure: what is seen and remembered becomes a decision."""

from seawall.decide.tick import decide

__all__ = ["decide"]
