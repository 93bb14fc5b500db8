"""Makes the texts of a fact storable, so that no free text keeps its fact from being applied.

Other people write these texts: failure messages, reasons, names of accounts. PostgreSQL can't store
NUL, and a text without a limit would make the payment too large for ``payment-state``.
"""

from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ports.texts import ERROR_CHARS_MAX, URL_CHARS_MAX, storable

_URLS: Final = frozenset({"action_url"})
_S = TypeVar("_S", bound=Struct)


def with_storable_texts(fact: _S) -> _S:
    """Returns the fact; texts that can't be stored are replaced, and those too long are cut."""
    changes = {}
    for name in fact.__struct_fields__:
        value = getattr(fact, name)
        changed = _url(value) if name in _URLS else _storable(value)
        if changed is not value:
            changes[name] = changed
    return replace(fact, **changes) if changes else fact


def _storable(value: Any) -> Any:
    if type(value) is str:
        is_plain = len(value) <= ERROR_CHARS_MAX and "\0" not in value
        return value if is_plain else storable(value)
    if isinstance(value, Struct):
        return with_storable_texts(value)
    if type(value) is tuple:
        changed = tuple(map(_storable, value))
        return value if all(map(_is, changed, value)) else changed
    return value


def _url(url: str | None) -> str | None:
    return url if url is None or (len(url) <= URL_CHARS_MAX and "\0" not in url) else None


def _is(one: Any, other: Any) -> bool:
    return one is other
