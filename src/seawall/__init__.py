"""Seawall: an unattended risk guard for accounts on dYdX v4."""

__version__ = "0.1.0"
