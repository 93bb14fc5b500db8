"""Providers' terms, which must not appear outside their adapters."""

import io
import re
import tokenize
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import providers
from domain import status
from tests.conformance.kit.rows import ADAPTERS

#: The providers: one folder each.
PROVIDERS: Final = tuple(
    folder.name
    for folder in Path(str(providers.__file__)).parent.iterdir()
    if (folder / "__init__.py").exists()
)
_OTHERS: Final = ("adyen", "paypal", "braintree")
#: Providers' names of objects, and the prefixes of their IDs and secrets.
_OBJECTS: Final = (
    *(r"payment[_ ]?intents?", r"\bcharges?\b", r"chargebacks?", r"\binstruments?\b"),
    *(r"\b(pi|ch|re|dp|du|evt|pm|tok|ntf)_", "whsec"),
)
_DOMAIN: Final = frozenset(
    word.value.lower()
    for words in vars(status).values()
    if isinstance(words, type) and issubclass(words, StrEnum)
    for word in words
)
#: Providers' statuses that are no statuses of the domain.
STATUSES: Final = frozenset().union(*(kind.statuses for kind in ADAPTERS.values())) - _DOMAIN
#: Those that are not plain English words, so that they are a provider's anywhere.
_UNMISTAKABLE: Final = sorted(word for word in STATUSES if "_" in word)
_FOREIGN: Final = re.compile(
    "|".join((*PROVIDERS, *_OTHERS, *_OBJECTS, *_UNMISTAKABLE)), re.IGNORECASE
)


def foreign_words(module: Path) -> Iterator[str]:
    """Yield each place in a module, comments included, that has a provider's term."""
    for token in tokenize.generate_tokens(io.StringIO(module.read_text()).readline):
        is_status = token.type == tokenize.STRING and token.string.strip("\"'").lower() in STATUSES
        if is_status or _FOREIGN.search(token.string):
            yield f"{module.name}:{token.start[0]} has {token.string!r}"
