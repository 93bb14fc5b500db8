"""A request's parameters: each reader returns a typed value or names the wrong parameter."""

from collections.abc import Collection, Iterable
from typing import Any

from stripe import RequestOptions

from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.storage.types import JsonObject

_METADATA_KEYS_MAX = 50
_METADATA_KEY_LENGTH_MAX = 40
_METADATA_VALUE_LENGTH_MAX = 500
_BOOLEANS = {"true": True, "false": False}
_EVERYWHERE = frozenset({"expand"})
# The error code for unknown parameters; parameters removed by an API version have their own.
_UNKNOWN = "parameter_unknown"
_REMOVED = {"payment_method_types": "payment_method_types_no_longer_supported"}


def names_of(typed_dict: type) -> frozenset[str]:
    """An operation's parameter names, as the ``stripe`` package declares them."""
    return frozenset(typed_dict.__annotations__) - frozenset(RequestOptions.__annotations__)


class Params:
    """A request's parameters.

    Args:
        values: the decoded form.
        known: the names that the operation accepts.

    Raises:
        ParameterError: an unknown name.
    """

    def __init__(self, values: JsonObject, known: Collection[str]) -> None:
        self.values = values
        for name in values:
            if name not in known and name not in _EVERYWHERE:
                raise ParameterError(
                    f"Received unknown parameter: {name}",
                    code=_REMOVED.get(name, _UNKNOWN),
                    param=name,
                )

    def text(self, name: str) -> str | None:
        """A string; an empty one counts as absent."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise ParameterError(f"Invalid string: {value}", param=name)
        return value or None

    def required_text(self, name: str) -> str:
        """A required string."""
        value = self.text(name)
        if value is None:
            raise _missing(name)
        return value

    def choice(self, name: str, options: Iterable[str]) -> str | None:
        """One of several words."""
        value = self.text(name)
        if value is not None and value not in (allowed := list(options)):
            raise ParameterError(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        return None if value is None else _integer(name, value)

    def required_integer(self, name: str) -> int:
        """A required whole number."""
        return _integer(name, self.required_text(name))

    def boolean(self, name: str) -> bool | None:
        """``true`` or ``false``."""
        value = self.text(name)
        if value is None:
            return None
        if value not in _BOOLEANS:
            raise ParameterError(f"Invalid boolean: {value}", param=name)
        return _BOOLEANS[value]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        value = self.values.get(name, [])
        if value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ParameterError("Invalid array", param=name)
        return value

    def hash(self, name: str) -> dict[str, Any]:
        """A nested hash; empty if absent."""
        value = self.values.get(name, {})
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise ParameterError("Invalid hash", param=name)
        return value

    def metadata(self, before: dict[str, str] | None = None) -> dict[str, str]:
        """The resulting metadata: an empty value removes its key, an empty hash all keys."""
        if self.values.get("metadata") == "":
            return {}
        result = dict(before or {})
        for key, value in self.hash("metadata").items():
            _check_metadata(key, value)
            result.pop(key, None)
            if value:
                result[key] = value
        if len(result) > _METADATA_KEYS_MAX:
            raise ParameterError(
                f"Metadata can have up to {_METADATA_KEYS_MAX} keys", param="metadata"
            )
        return result

    def amount(self, name: str) -> int | None:
        """A positive amount in minor units."""
        value = self.integer(name)
        if value is not None and value < 1:
            raise ParameterError(
                "Invalid positive integer", code="parameter_invalid_integer", param=name
            )
        return value


def _missing(name: str) -> ParameterError:
    return ParameterError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def _integer(name: str, value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise ParameterError(
            f"Invalid integer: {value}", code="parameter_invalid_integer", param=name
        )
    return int(value)


def _check_metadata(key: str, value: object) -> None:
    param = f"metadata[{key}]"
    if not isinstance(value, str):
        raise ParameterError("Metadata values must be strings", param=param)
    if len(key) > _METADATA_KEY_LENGTH_MAX:
        raise ParameterError(
            f"Metadata keys must be at most {_METADATA_KEY_LENGTH_MAX} characters", param=param
        )
    if len(value) > _METADATA_VALUE_LENGTH_MAX:
        raise ParameterError(
            f"Metadata values must be at most {_METADATA_VALUE_LENGTH_MAX} characters", param=param
        )
