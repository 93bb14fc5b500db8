"""The W3C ``traceparent`` of a request: passed on where it is one, made where there is none."""

import re
import secrets
from typing import Final

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def traceparent(sent: str | None) -> str:
    """The sender's ``traceparent`` if it is well-formed, otherwise the start of a new trace."""
    if sent is not None and _TRACEPARENT.fullmatch(sent):
        return sent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
