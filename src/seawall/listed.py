"""Several values in one text, as the environment and secret files hold them."""

from __future__ import annotations

import json


def listed(value: object) -> object:
    """The values of a text, separated by commas or written as a JSON list; all else as it is.

    An address with a comma of its own can only stand in a JSON list. Raises ValueError, without
    the text (it may be a secret), where it begins as one and is none.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith('["'):  # and not `[::1]:9090`
        try:
            return tuple(json.loads(value))
        except json.JSONDecodeError:
            raise ValueError('begins as a JSON list and is none: write ["...", "..."]') from None
    return tuple(part.strip() for part in value.split(",") if part.strip())
