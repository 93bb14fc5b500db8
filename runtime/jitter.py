"""Jitter for periodic loops."""

import random
from typing import Final

#: The largest deviation, as a fraction of the interval.
JITTER: Final = 0.2


def jittered(interval_s: float) -> float:
    """Returns the interval in seconds, up to ``JITTER`` shorter or longer at random.

    So processes that start together do not stay synchronized.
    """
    return interval_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # not a secret
