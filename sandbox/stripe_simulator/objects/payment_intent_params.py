"""A PaymentIntent's parameters: money, payment methods, return URL."""

from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.objects.currencies import (
    AMOUNT_MAX,
    is_supported,
    minimum_amount,
    step,
)
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.storage.types import JsonObject


def money(params: Params) -> tuple[int, str]:
    """The amount in minor units and its currency, both required."""
    amount = params.required_integer("amount")
    currency = params.required_text("currency").lower()
    if not is_supported(currency):
        raise ParameterError(f"Invalid currency: {currency}", param="currency")
    if amount < 1:
        raise ParameterError(
            "Invalid positive integer", code="parameter_invalid_integer", param="amount"
        )
    check_amount(amount, currency)
    return amount, currency


def check_amount(amount: int, currency: str) -> None:
    """Check that an amount is between its currency's minimum and the maximum."""
    if amount < minimum_amount(currency):
        raise ParameterError(
            f"Amount must be at least {minimum_amount(currency)} in {currency}'s minor unit",
            code="amount_too_small",
            param="amount",
        )
    if amount > AMOUNT_MAX:
        raise ParameterError(
            f"Amount must be no more than {AMOUNT_MAX}", code="amount_too_large", param="amount"
        )
    check_step(amount, currency, param="amount")


def check_step(amount: int, currency: str, *, param: str) -> None:
    """Check that an amount has no fraction that its currency can't have."""
    if amount % step(currency):
        raise ParameterError(
            f"Invalid amount: amounts in {currency} must be divisible by {step(currency)}.",
            param=param,
        )


def method_settings(params: Params, *, confirm_now: bool) -> JsonObject:
    """The intent's fields for its accepted payment methods."""
    allowed = params.texts("allowed_payment_method_types")
    automatic = params.hash("automatic_payment_methods")
    if allowed and automatic:
        raise ParameterError(
            "You may only specify one of these parameters: allowed_payment_method_types,"
            " automatic_payment_methods.",
            param="automatic_payment_methods",
        )
    if allowed:
        return {"payment_method_types": allowed, "allowed_payment_method_types": allowed}
    if automatic.get("enabled", "true") != "true":
        return {}
    redirects = automatic.get("allow_redirects", "always")
    if redirects not in ("always", "never"):
        raise ParameterError(
            "Invalid allow_redirects: must be one of always, never",
            param="automatic_payment_methods[allow_redirects]",
        )
    settings = {"allow_redirects": redirects, "enabled": True}
    if confirm_now:
        require_return_url(params, settings)
    return {"automatic_payment_methods": settings, "payment_method_types": ["card", "link"]}


def require_return_url(params: Params, automatic: JsonObject | None) -> None:
    """Require a return URL to confirm if the customer might be redirected."""
    redirects = automatic is not None and automatic["allow_redirects"] == "always"
    if redirects and params.text("return_url") is None:
        raise ParameterError(
            "This PaymentIntent accepts payment methods that might redirect your customer off your"
            " page, so you must provide a `return_url`. If you don't want to accept them, set"
            " `automatic_payment_methods[allow_redirects]` to `never`.",
            param="return_url",
        )
