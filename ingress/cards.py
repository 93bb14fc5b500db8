"""Finds card numbers in text. Pure: the brands are a table, the check digit is Luhn's.

A run of digits counts, in any script's digits, with spaces, dashes, underscores, slashes or plus
signs between them, also where a URL has them percent-encoded. Inside a longer run
(``1234 5555 5555 5555 4444``) it is found where such a gap parts it from the rest; digits without a
gap are one number, and a longer one than any brand's is no card's.
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
    """The numbers of one brand: ranges of what they begin with, inclusive, and how long they are.

    Both ends of a range have as many digits.
    """

    name: str
    prefixes: tuple[tuple[int, int], ...]
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
#: Spaces and dashes of every kind, and what stands for a space in a name or a URL; up to three
#: between two groups of digits.
_GAP: Final = r"[_/+\s\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufe58\ufe63\ufeff\uff0d-]"
_ENOUGH_DIGITS: Final = re.compile(rf"(?:\d{_GAP}{{0,3}}){{{_SHORTEST - 1}}}\d")
_RUN: Final = re.compile(rf"\d+(?:{_GAP}{{1,3}}\d+)*")
_GROUP: Final = re.compile(r"\d+")
#: A digit of every second place, doubled, and the digits of that added up.
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_ZERO: Final = ord("0")


def _by_beginning() -> Mapping[str, frozenset[int]]:
    """How long a card number may be, by what it begins with."""
    found: dict[str, frozenset[int]] = {}
    for brand in BRANDS:
        for low, high in brand.prefixes:
            for prefix in range(low, high + 1):
                found[str(prefix)] = found.get(str(prefix), frozenset()) | brand.lengths
    return found


_LENGTHS: Final = _by_beginning()
_BEGINNINGS: Final = sorted({len(prefix) for prefix in _LENGTHS})


def holds_card_number(text: str) -> bool:
    """Whether a card number stands anywhere in the text."""
    if "%" in text and _holds_as_it_stands(unquote(text)):
        return True
    return _holds_as_it_stands(text)


def _holds_as_it_stands(text: str) -> bool:
    if _ENOUGH_DIGITS.search(text) is None:
        return False
    return any(_holds(run[0]) for run in _RUN.finditer(text))


def _holds(run: str) -> bool:
    """Whether neighbouring whole groups of the run's digits are a card number together."""
    groups = [_ascii(group) for group in _GROUP.findall(run)]
    ends = list(accumulate(map(len, groups)))
    digits, all_ends = "".join(groups), set(ends)
    return any(
        end in all_ends and luhn(digits[start:end])
        for start in (0, *ends[:-1])
        for end in (start + length for length in _lengths(digits[start : start + _BEGINNINGS[-1]]))
    )


def _lengths(digits: str) -> set[int]:
    """How long a card number that begins so may be."""
    found: set[int] = set()
    for size in _BEGINNINGS:
        found |= _LENGTHS.get(digits[:size], frozenset())
    return found


def _ascii(digits: str) -> str:
    """Digits of any script as those of ASCII."""
    return digits if digits.isascii() else "".join(str(unicodedata.digit(d)) for d in digits)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    places = digits.encode()[::-1]
    total = sum(places[::2]) + sum(places[1::2].translate(_DOUBLED)) - _ZERO * len(places)
    return total % 10 == 0


def fields_with_card_numbers(body: Mapping[str, Any]) -> list[str]:
    """The fields of a body in whose text a card number stands, by their path.

    A key that holds one is named by the field it is in, so that it is not repeated.
    """
    return list(dict.fromkeys(_fields(body, "")))


def _fields(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and holds_card_number(value):
        yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if holds_card_number(name):
                yield path or "body"
            else:
                yield from _fields(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _fields(each, f"{path}.{place}")
