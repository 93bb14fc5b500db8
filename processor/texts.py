"""Texts from outside, as Postgres takes them and a person can read them."""

from typing import Final

ERROR_CHARS_MAX: Final = 1_000


def storable(text: str) -> str:
    """The text without NUL characters, which PostgreSQL can't store, and not endlessly long."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:ERROR_CHARS_MAX]
