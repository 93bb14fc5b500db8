"""Every request about money has an amount: providers read a missing one as the whole amount."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from domain.call_key import Operation
from domain.calls import ProviderCall
from providers.examplepay import requests as examplepay
from providers.stripe import requests as stripe

CALL = ProviderCall(
    key="pay_x:capture:1",
    operation=Operation.CAPTURE,
    payment_id="pay_x",
    provider="any",
    object_id="obj_1",
    currency="EUR",
    capture_method="manual",
)


@pytest.mark.parametrize("request_for", [stripe.request_for, examplepay.request_for])
@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.CAPTURE, Operation.REFUND])
def test_a_call_without_an_amount_is_never_sent(
    request_for: Callable[[ProviderCall], object], operation: Operation
) -> None:
    """It raises an error."""
    call = replace(CALL, operation=operation)
    with pytest.raises(ValueError, match="has no amount"):
        request_for(call)
    whole = replace(call, amount=500)
    with pytest.raises(ValueError, match="has no currency"):
        request_for(replace(whole, currency=None))
    request_for(whole)


@pytest.mark.parametrize("request_for", [stripe.request_for, examplepay.request_for])
def test_a_create_without_a_capture_method_is_never_sent(
    request_for: Callable[[ProviderCall], object],
) -> None:
    """Providers read a missing one as "capture at once"."""
    call = replace(CALL, operation=Operation.CREATE, amount=500, capture_method=None)
    with pytest.raises(ValueError, match="has no capture method"):
        request_for(call)
