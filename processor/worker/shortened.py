"""Shortens an event that no record has room for: its long texts are cut, its form stays.

What makes an event that large is a text, or many of them, that somebody else wrote. The fact in it
is small and must not be lost with them.
"""

import json
from typing import Any, Final

from ports.texts import URL_CHARS_MAX, repaired

#: Longer texts are cut to this. No ID, status or amount of a provider is as long. It is more than
#: an address may have, so one that was cut is left out like any that is too long.
TEXT_CHARS_MAX: Final = URL_CHARS_MAX + 1


def shortened(body: bytes) -> bytes:
    """Returns the event with its long texts cut; unchanged if it can't be read."""
    try:
        event = json.loads(repaired(body))
        return json.dumps(_cut(event), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    if isinstance(value, list):
        return [_cut(each) for each in value]
    if isinstance(value, dict):
        return {name: _cut(each) for name, each in value.items()}
    return value
