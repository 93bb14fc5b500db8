"""The W3C ``traceparent`` of a request: passed on where it is one, made where there is none."""

import re
import secrets
from typing import Final

from ingress.cards import holds_card_number

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def traceparent(sent: str | None) -> str:
    """The sender's ``traceparent`` if it is well-formed, otherwise the start of a new trace.

    One whose digits could be a card number is not passed on.
    """
    if sent is not None and _TRACEPARENT.fullmatch(sent) and not holds_card_number(sent):
        return sent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
