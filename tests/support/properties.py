"""How many examples a property is tried on."""

import os
from typing import Final

from hypothesis import settings

#: Fewer examples, for a run between two edits: the name of a variable with their number.
EXAMPLES: Final = "PAYMENTS_TEST_EXAMPLES"

#: The same examples in each run, and enough of them to find every planted bug.
thorough: Final = settings(
    max_examples=int(os.environ.get(EXAMPLES, "250")), derandomize=True, deadline=None
)
