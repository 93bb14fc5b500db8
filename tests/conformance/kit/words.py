"""Words of one provider or another, which must not pass its adapter."""

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

#: The providers there are: one folder each.
PROVIDERS: Final = tuple(
    folder.name
    for folder in Path(str(providers.__file__)).parent.iterdir()
    if (folder / "__init__.py").exists()
)
_OTHERS: Final = ("adyen", "paypal", "braintree")
#: Objects as providers call them, and what their IDs and secrets begin with.
_OBJECTS: Final = (
    *(r"payment[_ ]?intents?", r"\bcharges?\b", r"chargebacks?", r"\binstruments?\b"),
    *(r"\b(pi|ch|re|dp|du|evt|pm|tok|ntf)_", "whsec"),
)
_OURS: Final = frozenset(
    word.value.lower()
    for words in vars(status).values()
    if isinstance(words, type) and issubclass(words, StrEnum)
    for word in words
)
#: Statuses of providers that are no status of the domain's.
STATUSES: Final = frozenset().union(*(kind.statuses for kind in ADAPTERS.values())) - _OURS
#: Those that are no plain English, so that they are a provider's wherever they stand.
_PLAIN: Final = sorted(word for word in STATUSES if "_" in word)
_FOREIGN: Final = re.compile("|".join((*PROVIDERS, *_OTHERS, *_OBJECTS, *_PLAIN)), re.IGNORECASE)


def foreign_words(module: Path) -> Iterator[str]:
    """Each place in a module, comments included, where a provider's word stands."""
    for token in tokenize.generate_tokens(io.StringIO(module.read_text()).readline):
        is_status = token.type == tokenize.STRING and token.string.strip("\"'").lower() in STATUSES
        if is_status or _FOREIGN.search(token.string):
            yield f"{module.name}:{token.start[0]} says {token.string!r}"
