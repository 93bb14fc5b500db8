"""The name of its consumer group, for whoever measures and can't import quix-streams."""

from typing import Final

GROUP: Final = "bench-quix"
