"""An impossible amount or currency is refused before it is accepted, and the 422 says the rule."""

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ports.provider import MoneyRefusal
from tests.ingress.harness import PAYMENT, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("provider", "amount", "currency", "field", "named"),
    [
        ("stripe", 1999, "XXQ", "currency", "ISO 4217"),
        ("stripe", 1999, "XAU", "currency", "ISO 4217"),
        ("stripe", 1999, "KPW", "currency", "docs.stripe.com/currencies"),
        ("stripe", 49, "EUR", "amount", "50: Stripe's minimum is 0.50 EUR"),
        ("stripe", 1501, "kwd", "amount", "multiple of 10"),
        ("stripe", 150, "MGA", "amount", "multiple of 100"),
        ("stripe", 10_000_000_000, "ISK", "amount", "9999999999"),
        ("examplepay", 1999, "XXQ", "currency", "ISO 4217"),
    ],
)
async def test_an_impossible_amount_or_currency_is_a_422(
    acme: httpx.AsyncClient,
    log: Log,
    provider: str,
    amount: int,
    currency: str,
    field: str,
    named: str,
) -> None:
    """It names the field and the rule of the provider; nothing is published."""
    body: dict[str, Any] = {
        **PAYMENT, "provider": provider, "amount": amount, "currency": currency
    }  # fmt: skip
    response = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    (error,) = assert_problem(response, 422, "invalid-fields")["errors"]
    assert error["field"] == field
    assert named in error["problem"]
    assert log.records == []


@pytest.mark.parametrize(
    ("provider", "amount", "currency"),
    [
        ("stripe", 50, "EUR"),
        ("stripe", 1500, "KWD"),
        ("stripe", 5000, "ISK"),
        ("stripe", 999_999_999_999, "IDR"),
        ("examplepay", 1, "EUR"),
        ("examplepay", 1501, "KWD"),
    ],
)
async def test_the_rules_are_the_providers_own(
    acme: httpx.AsyncClient, log: Log, provider: str, amount: int, currency: str
) -> None:
    """What one provider refuses another accepts; twelve digits of IDR are fine."""
    body: dict[str, Any] = {
        **PAYMENT, "provider": provider, "amount": amount, "currency": currency
    }  # fmt: skip
    response = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert response.status_code == 202
    assert len(log.records) == 1


@pytest.mark.parametrize(
    ("currency", "is_taken"),
    [
        ("EUR", True),
        ("eur", True),
        ("Jpy", True),
        ("euro", False),
        ("E1R", False),
        ("\u20ac", False),
    ],
)
async def test_the_document_says_which_form_a_currency_has(
    acme: httpx.AsyncClient, currency: str, *, is_taken: bool
) -> None:
    """In a create and in a filter; whether there is such a currency, the provider's rules say."""
    document = (await acme.get("/openapi.json")).json()
    create = document["components"]["schemas"]["CreateRequest"]["properties"]["currency"]
    (listed,) = (
        each["schema"]
        for each in document["paths"]["/v1/payments"]["get"]["parameters"]
        if each["name"] == "currency"
    )
    body = {**PAYMENT, "currency": currency}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert (answer.status_code == 202) is is_taken
    for schema in (create, listed):
        assert (re.search(schema["pattern"], currency) is not None) is is_taken


class _Stricter:
    """Rules of a later release, by which nothing can be collected any more."""

    name = "stripe"

    def refuses(self, amount: int, currency: str) -> MoneyRefusal | None:
        """See ``MoneyRules.refuses``."""
        return MoneyRefusal("amount", f"not {amount} {currency}")


async def test_a_retry_of_what_was_accepted_is_not_judged_again(
    app: FastAPI, acme: httpx.AsyncClient, log: Log
) -> None:
    """The same key is the same payment, also after a release that has other rules."""
    first = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    app.state.context = replace(app.state.context, money_rules={"stripe": _Stricter()})
    retry = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert (retry.status_code, retry.json()) == (202, first.json())
    refused = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("another"))
    assert_problem(refused, 422, "invalid-fields")
    assert len(log.records) == 1


async def test_a_refused_body_leaves_its_key_free(acme: httpx.AsyncClient, log: Log) -> None:
    """The client may correct the body and keep the key."""
    refused = await acme.post("/v1/payments", json=PAYMENT | {"amount": 49}, headers=keyed("k"))
    assert_problem(refused, 422, "invalid-fields")
    corrected = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert corrected.status_code == 202
    assert len(log.records) == 1
