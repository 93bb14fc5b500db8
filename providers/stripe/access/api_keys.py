"""What a key of Stripe's API says of itself."""

import re
from typing import Final

#: Secret and restricted keys contain their mode: ``sk_live_...``, ``rk_test_...``.
_KEY_MODE: Final = re.compile(r"\A[a-z]+_(live|test)_")


def is_live_key(api_key: str) -> bool | None:
    """Returns whether the key is of live mode, or None if it does not contain its mode."""
    found = _KEY_MODE.match(api_key)
    return found[1] == "live" if found is not None else None
