"""Random draws without a shared generator: each is a function of the seed and an identity.

No draw depends on the draws before it. Runs with one seed therefore decide alike, however their
requests interleave.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import blake2b

_SEPARATOR = "\x1f"  # never part of a name, so ("a", "bc") and ("ab", "c") differ


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws derived from a seed.

    Args:
        seed: instances with the same seed make the same draws.
    """

    seed: str

    def unit(self, *identity: object) -> float:
        """A number in [0, 1), always the same for the same identity."""
        return self._number(8, identity) / 2**64

    def happens(self, probability: float, *identity: object) -> bool:
        """Whether an event of this probability occurs for this identity."""
        return probability > 0 and self.unit(*identity) < probability

    def between(self, bounds: tuple[float, float], *identity: object) -> float:
        """A number between two bounds."""
        low, high = bounds
        return low + (high - low) * self.unit(*identity)

    def whole(self, low: int, high: int, *identity: object) -> int:
        """A whole number from low to high, both included."""
        return low + self._number(8, identity) % (high - low + 1)

    def object_id(self, prefix: str, *identity: object, length: int = 24) -> str:
        """An ID in Stripe's format, for example ``pi_3`` and 24 alphanumeric characters."""
        digest = self._digest(length, ("id", prefix, *identity))
        return prefix + b64encode(digest, b"ab")[:length].decode()

    def _number(self, size: int, identity: tuple[object, ...]) -> int:
        return int.from_bytes(self._digest(size, identity))

    def _digest(self, size: int, identity: tuple[object, ...]) -> bytes:
        words = _SEPARATOR.join([self.seed, *map(str, identity)])
        return blake2b(words.encode(), digest_size=size).digest()
