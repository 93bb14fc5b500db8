"""Card numbers are recognised in any text, and kept out of the log, the store and every answer."""

import logging
import time
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingress.cards import BRANDS, Brand, contains_card_number, fields_with_card_numbers, luhn
from schemas import identity
from tests.ingress.harness import PAYMENT, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio

#: The card networks' and providers' published test numbers.
PUBLISHED = [
    "4242424242424242", "4000056655665556", "4222222222222", "5555555555554444", "5105105105105100",
    "2223003122003222", "378282246310005", "371449635398431",
    "6011111111111117", "6011000990139424", "3056930009020004", "36227206271667",
    "3566002020360505", "6200000000000005", "6205500000000000004", "6759649826438453",
    "8171999927660000",
]  # fmt: skip
CARD = "4242424242424242"
OURS = identity.payment_id("acme", "order-1")


@st.composite
def numbers(draw: st.DrawFn, brand: Brand | None = None) -> str:
    """A number of a brand: its prefix, any digits, and the check digit."""
    chosen = brand or draw(st.sampled_from(BRANDS))
    low, high = draw(st.sampled_from(chosen.prefixes))
    prefix = str(draw(st.integers(low, high)))
    length = draw(st.sampled_from(sorted(chosen.lengths)))
    rest = length - len(prefix) - 1
    body = prefix + draw(st.text("0123456789", min_size=rest, max_size=rest))
    return body + next(check for check in "0123456789" if luhn(body + check))


def grouped(draw: st.DrawFn, number: str) -> str:
    """The number in groups, parted by spaces, dashes, or what stands for a space in a URL."""
    gaps = st.sampled_from(
        ["", " ", "-", "_", "/", "+", "\N{EN DASH}", "\N{NO-BREAK SPACE}", " - "]
    )
    return "".join(digit + draw(gaps) for digit in number[:-1]) + number[-1]


@st.composite
def written(draw: st.DrawFn) -> str:
    """A card number as people write it, in any script's digits, inside a text."""
    text = grouped(draw, draw(numbers()))
    zero = draw(st.sampled_from("0\u0660\u0966\u09e6\uff10\U0001d7ce"))
    text = "".join(chr(ord(zero) + int(c)) if c in "0123456789" else c for c in text)
    around = st.sampled_from(["", " ", "card ", "nº", "x", "(", ": ", "Straße ", "order 17: "])
    return draw(around) + text + draw(st.sampled_from(["", " ", ", thanks", "x", ")", "."]))


@pytest.mark.parametrize("number", PUBLISHED)
def test_every_published_number_is_one(number: str) -> None:
    """As it stands, and in groups of four."""
    assert contains_card_number(number)
    assert contains_card_number(" ".join(number[at : at + 4] for at in range(0, len(number), 4)))


@settings(deadline=None)
@given(written())
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    """Any brand, grouping, script, and text around it."""
    assert contains_card_number(text)


@pytest.mark.parametrize("escaped", ["%34242424242424242", "4242%204242%2d4242%5F4242"])
def test_a_url_hides_no_card(escaped: str) -> None:
    """Any reader of the URL has the number."""
    assert contains_card_number(f"https://shop.example/?c={escaped}")


@settings(deadline=None)
@given(numbers(), st.integers(1, 9))
def test_a_wrong_check_digit_is_no_card(number: str, off: int) -> None:
    """An order number of the same length and beginning is let through."""
    wrong = number[:-1] + str((int(number[-1]) + off) % 10)
    assert not contains_card_number(wrong)


@settings(deadline=None)
@given(st.text("0123456789", min_size=1, max_size=40).map(lambda digits: f"1{digits}"))
def test_what_no_brand_begins_with_is_no_card(number: str) -> None:
    """No brand's numbers begin with 1, whatever the check digit says; nor with 0, 7 or 9."""
    for first in "0179":
        assert not contains_card_number(first + number[1:])


@pytest.mark.parametrize(
    "text",
    [
        "", "4242", "42424242424242424242", "424242424242424", "2026-03-01T12:00:00.000000+00:00",
        "1767225600000000", "order-1001", "+49 30 1234567890", "DE89370400440532013000",
        "pay_47mhc337hb7du6shhyfh3nsilqfitr", "4242.4242.4242.4242", "4242424242424241",
        "019532a0-7b1c-7c3e-8f00-2b1d5a6c7e9f", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd6",
    ],
)  # fmt: skip
def test_what_is_no_card_number(text: str) -> None:
    """Too short, too long, times, telephone and account numbers, IDs, hashes."""
    assert not contains_card_number(text)


def test_the_longest_text_takes_no_time() -> None:
    """What a client may send at most is looked through in no time, however it is meant."""
    for text in ("4 " * 11_000, "4" * 22_000, "4 - " * 5_000, f"{CARD[:-1]}1 " * 1_300):
        started = time.process_time()
        assert not contains_card_number(text)
        assert time.process_time() - started < 1


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """Nothing raises."""
    assert contains_card_number(text) in {True, False}


def test_every_field_is_named_and_no_key_repeated() -> None:
    """Nested ones by their path; a key that holds a number by the field it is in."""
    body = {"a": CARD, "b": {"c": f"x {CARD}", CARD: "y"}, "d": ["", CARD], "e": "fine", CARD: 1}
    assert fields_with_card_numbers(body) == ["a", "b.c", "b", "d.1", "body"]


FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("", {**PAYMENT, "payment_method": CARD}, "payment_method"),
    ("", {**PAYMENT, "description": f"paid with {CARD[:4]} {CARD[4:]}"}, "description"),
    ("", {**PAYMENT, "metadata": {"card": CARD}}, "metadata.card"),
    ("", {**PAYMENT, "metadata": {CARD: "x"}}, "metadata"),
    ("", {**PAYMENT, "return_url": f"https://shop.example/?card={CARD}"}, "return_url"),
    ("", {**PAYMENT, "provider": CARD}, "provider"),
    ("", {**PAYMENT, "currency": CARD}, "currency"),
    ("", {**PAYMENT, "surprise": CARD}, "surprise"),
    ("", {**PAYMENT, CARD: "surprise"}, "(a card number)"),
    ("/confirm", {"payment_method": CARD}, "payment_method"),
    ("/refunds", {"reason": CARD}, "reason"),
    ("/cancel", {"reason": CARD}, "reason"),
    ("/capture", {CARD: CARD}, "(a card number)"),
]


@pytest.mark.parametrize(("path", "body", "field"), FIELDS)
async def test_no_field_takes_one(
    acme: httpx.AsyncClient,
    log: Log,
    caplog: pytest.LogCaptureFixture,
    path: str,
    body: dict[str, Any],
    field: str,
) -> None:
    """422 names the field; the digits are in no answer, no log line and no record."""
    address = f"/v1/payments/{OURS}{path}" if path else "/v1/payments"
    with caplog.at_level(logging.DEBUG):
        answer = await acme.post(address, json=body, headers=keyed("k"))
    problem = assert_problem(answer, 422, "invalid-fields")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert "4242" not in answer.text
    assert "4242" not in caplog.text
    assert log.records == []


async def test_no_header_carries_one(acme: httpx.AsyncClient, log: Log) -> None:
    """An Idempotency-Key is refused by its name, and no header is written on."""
    answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(f"order {CARD}"))
    (error,) = assert_problem(answer, 422, "invalid-fields")["errors"]
    assert error["field"] == "Idempotency-Key"
    assert "4242" not in answer.text
    other = {"traceparent": f"00-{'a' * 32}-{CARD}-01"}
    answer = await acme.post("/v1/payments", json=PAYMENT, headers={**keyed("k"), **other})
    assert answer.status_code == 202
    assert CARD not in log.records[0].value.decode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/v1/payments/{CARD}", b""),
        ("DELETE", f"/v1/payments/{CARD}", b""),
        ("GET", f"/v1/payments?status={CARD}&limit={CARD}", b""),
        ("GET", f"/v1/payments?cursor={CARD}", b""),
        ("GET", f"/problems/{CARD}", b""),
        ("POST", f"/webhooks/{CARD}", b"{}"),
        ("POST", "/v1/payments", f'{{"{CARD}": 1, "{CARD}": 2}}'.encode()),
        ("POST", "/v1/payments", f'{{"amount": {CARD}, "metadata": {{"a": {CARD}}}}}'.encode()),
        ("POST", "/v1/payments", f'{{"amount": {CARD}'.encode()),
    ],
)
async def test_no_error_repeats_one(
    acme: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    body: bytes,
) -> None:
    """Wherever else it is sent, it is in no answer and no log line."""
    headers = {"Content-Type": "application/json", **keyed("k")}
    with caplog.at_level(logging.DEBUG, logger="ingress"):
        answer = await acme.request(method, path, content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert "4242" not in answer.text
    assert all("4242" not in str(vars(r)) for r in caplog.records if r.name.startswith("ingress"))
