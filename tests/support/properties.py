"""The number of examples of property tests."""

import os
from typing import Final

from hypothesis import settings

#: The environment variable with the number of examples; a fast run sets fewer.
EXAMPLES: Final = "PAYMENTS_TEST_EXAMPLES"

_EXAMPLES: Final = int(os.environ.get(EXAMPLES, "250"))

#: The orders tried of a history: all 120 of five facts, a sample for more facts.
ORDERS_MAX: Final = min(200, 2 * _EXAMPLES)

#: The same examples in each run, enough to find every planted bug.
thorough: Final = settings(max_examples=_EXAMPLES, derandomize=True, deadline=None)
