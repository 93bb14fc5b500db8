"""The preference of RFC 7240 that a client may send: ``Prefer: wait=<seconds>``."""

import re
from collections.abc import Iterable
from typing import Final

#: The longest that a request waits, in seconds.
WAIT_MAX_S: Final = 30
#: One preference: its name, its value as a token or in quotes, and parameters, which are ignored.
_PREFERENCE: Final = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*
        (?:=[ \t]*("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~0-9A-Za-z-]*)[ \t]*)?
        (?:;(?:[^",]|"(?:[^"\\]|\\.)*")*)?(?:,|\Z)""",
    re.VERBOSE,
)
_DIGITS_MAX: Final = 9


def wait_of(fields: Iterable[str]) -> int | None:
    """Returns for how many seconds the ``Prefer`` headers ask to wait, ``WAIT_MAX_S`` at most.

    None: they don't. What is malformed or another preference is ignored. Of two the first counts.
    """
    for field in fields:
        at = 0
        while at < len(field):
            found = _PREFERENCE.match(field, at)
            if found is None:
                break
            at = found.end()
            if found[1].lower() == "wait":
                return _seconds(found[2] or "")
    return None


def _seconds(value: str) -> int | None:
    text = value.strip('"')
    if not (text.isascii() and text.isdecimal()):
        return None
    if len(text) > _DIGITS_MAX:
        return WAIT_MAX_S
    return min(int(text), WAIT_MAX_S) or None
