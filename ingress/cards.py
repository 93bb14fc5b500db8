"""Finds card numbers in text, by the prefixes and lengths of the brands and Luhn's check digit.

The digits may be of any script, circled or raised, and percent-encoded. Between two of them may be
up to three characters that are not alphanumeric, but no full stop: numbers with those are mostly
addresses, versions and amounts. Times of day and beginnings of telephone numbers don't count
(``12:30``, ``+49 (30)``): with them one in ten dates of a thirtieth would be refused. A card number
inside a longer run of digits (``1234 5555 5555 5555 4444``) is found if such gaps separate it from
the rest. Digits without a gap are one number, so a run longer than every brand's numbers is none.
Digits inside a UUID or a hexadecimal token are none either: one in some 3,000 random UUIDs, and in
8,000 object IDs of 24 characters, would pass as a card number, and a client could never use it as
its idempotency key.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Brand:
    """The card numbers of one brand."""

    name: str
    #: Inclusive ranges of prefixes. Both ends of a range have the same number of digits.
    prefixes: tuple[tuple[int, int], ...]
    #: Numbers of digits.
    lengths: frozenset[int]


BRANDS: Final[Sequence[Brand]] = (
    Brand("Visa", ((4, 4),), frozenset({13, 16, 19})),
    Brand("Mastercard", ((51, 55), (2221, 2720)), frozenset({16})),
    Brand("American Express", ((34, 34), (37, 37)), frozenset({15})),
    Brand(
        "Discover",
        ((6011, 6011), (644, 649), (65, 65), (622126, 622925)),
        frozenset(range(16, 20)),
    ),
    Brand("Diners Club", ((300, 305), (3095, 3095), (36, 36), (38, 39)), frozenset(range(14, 20))),
    Brand("JCB", ((3528, 3589),), frozenset(range(16, 20))),
    Brand("UnionPay", ((62, 62), (81, 81)), frozenset(range(16, 20))),
    Brand(
        "Maestro",
        ((5018, 5018), (5020, 5020), (5038, 5038), (5893, 5893), (6304, 6304), (6759, 6759),
         (6761, 6763)),
        frozenset(range(12, 20)),
    ),
    Brand("Elo", ((401178, 401179), (431274, 431274), (438935, 438935), (504175, 504175),
                  (506699, 506778), (509000, 509999), (627780, 627780), (636297, 636297),
                  (636368, 636368), (650031, 650033)), frozenset({16})),
    Brand("RuPay", ((508500, 508999), (606985, 607984), (608001, 608500), (652150, 653149)),
          frozenset({16})),
    Brand("Mir", ((2200, 2204),), frozenset(range(16, 20))),
)  # fmt: skip

_SHORTEST: Final = min(min(brand.lengths) for brand in BRANDS)
#: One character between two groups of digits: anything not alphanumeric but full stops, also
#: what can't be seen. Up to three may follow each other.
_GAP: Final = r"(?:[^\w.]|_)"
_ENOUGH_DIGITS: Final = re.compile(rf"(?:\d{_GAP}{{0,3}}){{{_SHORTEST - 1}}}\d")
_RUN: Final = re.compile(rf"\d+(?:{_GAP}{{1,3}}\d+)*")
_GROUP: Final = re.compile(r"\d+")
#: A UUID, or a hexadecimal token that has a letter and the length of an object ID (24) or more.
_RANDOM_ID: Final = re.compile(
    r"(?<![0-9a-z])(?=[0-9-]*[a-f])"
    r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,})(?![0-9a-z])",
    re.IGNORECASE | re.ASCII,
)
#: A time of day, with or without seconds, or the beginning of a telephone number.
_NO_CARD: Final = re.compile(
    r"(?<![0-9:])(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?(?![0-9:])"
    r"|\+[0-9]{1,3}[ -]?\([0-9]{1,5}\)|(?<![0-9])\(0\)"
)
#: Takes the place of an ID, a time or a code: neither a digit nor a gap.
_NO_DIGITS: Final = "."
#: Maps a digit to the sum of the digits of its double.
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_ZERO: Final = ord("0")


def _lengths_by_prefix() -> Mapping[str, frozenset[int]]:
    """Returns the possible lengths of a card number by its prefix."""
    found: dict[str, frozenset[int]] = {}
    for brand in BRANDS:
        for low, high in brand.prefixes:
            for prefix in range(low, high + 1):
                found[str(prefix)] = found.get(str(prefix), frozenset()) | brand.lengths
    return found


_LENGTHS_BY_PREFIX: Final = _lengths_by_prefix()
_PREFIX_LENGTHS: Final = sorted({len(prefix) for prefix in _LENGTHS_BY_PREFIX})


def contains_card_number(text: str) -> bool:
    """Returns whether the text contains a card number anywhere."""
    if "%" in text and _contains_unescaped(unquote(text)):
        return True
    return _contains_unescaped(text)


def _contains_unescaped(text: str) -> bool:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if _ENOUGH_DIGITS.search(text) is None:
        return False
    searched = _NO_CARD.sub(_NO_DIGITS, _RANDOM_ID.sub(_NO_DIGITS, text))
    return any(_run_contains_card(run[0]) for run in _RUN.finditer(searched))


def _run_contains_card(run: str) -> bool:
    """Returns whether adjacent whole groups of the run's digits form a card number."""
    groups = [_ascii(group) for group in _GROUP.findall(run)]
    ends = list(accumulate(map(len, groups)))
    digits, all_ends = "".join(groups), set(ends)
    return any(
        end in all_ends and luhn(digits[start:end])
        for start in (0, *ends[:-1])
        for end in (
            start + length
            for length in _possible_lengths(digits[start : start + _PREFIX_LENGTHS[-1]])
        )
    )


def _possible_lengths(digits: str) -> set[int]:
    """Returns the lengths of the card numbers that begin with these digits."""
    found: set[int] = set()
    for size in _PREFIX_LENGTHS:
        found |= _LENGTHS_BY_PREFIX.get(digits[:size], frozenset())
    return found


def _ascii(digits: str) -> str:
    """Returns digits of any script as ASCII digits."""
    return digits if digits.isascii() else "".join(str(unicodedata.digit(d)) for d in digits)


def luhn(digits: str) -> bool:
    """Returns whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    places = digits.encode()[::-1]
    total = sum(places[::2]) + sum(places[1::2].translate(_DOUBLED)) - _ZERO * len(places)
    return total % 10 == 0


def fields_with_card_numbers(body: Mapping[str, Any]) -> list[str]:
    """Returns the paths of the body's fields that contain a card number.

    For a card number in a key it returns the field around the key, so as not to repeat the number.
    """
    return list(dict.fromkeys(_fields(body, "")))


def _fields(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and contains_card_number(value):
        yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if contains_card_number(name):
                yield path or "body"
            else:
                yield from _fields(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _fields(each, f"{path}.{place}")
