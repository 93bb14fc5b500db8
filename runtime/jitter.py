"""How long a loop rests between two rounds: about as long as asked, and never twice the same."""

import random
from typing import Final

#: A rest is up to this part shorter or longer than asked.
JITTER: Final = 0.2


def jittered(about_s: float) -> float:
    """About so many seconds. Processes that were started together do not stay in step."""
    return about_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # jitter is no secret
