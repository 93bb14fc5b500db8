"""No amount of a stored payment has a default: one that is lost is an error, never zero."""

import inspect
from types import ModuleType
from typing import Final

import msgspec
import pytest
from msgspec import Struct

from domain import inputs, payment, terms

#: Field names that hold money, in minor units.
AMOUNTS: Final = frozenset({"amount", "captured", "currency"})
MODULES: Final[tuple[ModuleType, ...]] = (inputs, payment, terms)
STORED: Final = sorted(
    {
        each
        for module in MODULES
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Struct) and AMOUNTS & set(each.__struct_fields__)
    },
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("stored", STORED, ids=lambda each: each.__name__)
def test_an_amount_is_required(stored: type[Struct]) -> None:
    """Documents leave defaults out, so a default amount would look like a lost one."""
    for field in msgspec.structs.fields(stored):
        if field.name in AMOUNTS:
            assert field.required, f"{stored.__name__}.{field.name} has a default"
