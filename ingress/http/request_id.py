"""The ID of each request. Every log line and the answer carry it, so that one finds the other."""

import random
import re
from collections.abc import Iterable
from typing import Final

from ingress.cards import contains_card_number

HEADER: Final = b"x-request-id"
#: The name of the ID in log lines and in the ``state`` of a request's scope.
REQUEST_ID: Final = "request_id"
_PLAIN: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,64}")
_VERSION_4: Final = 0x4000_8000_0000_0000_0000
_RANDOM_BITS: Final = (1 << 128) - 1 ^ 0xF000_C000_0000_0000_0000


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's ``X-Request-Id`` where it is fit for a log line, otherwise a new UUID.

    ``headers`` have lower-case names. An ID is fit if it has 1 to 64 of a-z, A-Z, 0-9, dots,
    colons, dashes and underscores, and no card number.
    """
    for name, value in headers:
        if name == HEADER:
            return _accepted(value) or new_request_id()
    return new_request_id()


def _accepted(value: bytes) -> str | None:
    if _PLAIN.fullmatch(value) is None:
        return None
    text = value.decode("ascii")
    return None if contains_card_number(text) else text


def new_request_id() -> str:
    """A random UUID (version 4).

    It guards nothing, so the quick generator will do: ``uuid4`` costs a system call per request.
    """
    digits = f"{random.getrandbits(128) & _RANDOM_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
