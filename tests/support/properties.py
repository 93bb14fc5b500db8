"""How many examples a property is tried on."""

import os
from typing import Final

from hypothesis import settings

#: Fewer examples, for a run between two edits: the name of a variable with their number.
EXAMPLES: Final = "PAYMENTS_TEST_EXAMPLES"

_EXAMPLES: Final = int(os.environ.get(EXAMPLES, "250"))

#: How many orders of a history are tried: all 120 of five facts, a sample of more.
ORDERS_MAX: Final = min(200, 2 * _EXAMPLES)

#: The same examples in each run, and enough of them to find every planted bug.
thorough: Final = settings(max_examples=_EXAMPLES, derandomize=True, deadline=None)
