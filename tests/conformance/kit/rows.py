"""The list of adapters. A new provider adds its line."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.examplepay_adapter import ExamplePayAdapter
from tests.conformance.kit.stripe_adapter import StripeAdapter

ADAPTERS: Final[Mapping[str, type[Adapter]]] = {
    adapter.name: adapter for adapter in (StripeAdapter, ExamplePayAdapter)
}

#: For tests that talk to a server: the ``stripe`` package uses a deprecated argument of httpx.
over_http = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
