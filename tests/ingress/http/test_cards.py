"""Card numbers are recognised in any text and kept out of records, log lines and responses."""

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
#: What may stand between two digits: also what can't be seen.
GAPS = (
    " -_/+,;*|~=()\\'#&\"!?<>[]{}@$^`"
    "\N{EN DASH}\N{NO-BREAK SPACE}\N{MIDDLE DOT}\N{BULLET}\N{SOFT HYPHEN}"
    "\u200b\u200e\u061c\u180e\ufeff"
)
PAYMENT_ID = identity.payment_id("acme", "order-1")


@st.composite
def numbers(draw: st.DrawFn, brand: Brand | None = None) -> str:
    """Generates a brand's number: its prefix, random digits, and the check digit."""
    chosen = brand or draw(st.sampled_from(BRANDS))
    low, high = draw(st.sampled_from(chosen.prefixes))
    prefix = str(draw(st.integers(low, high)))
    length = draw(st.sampled_from(sorted(chosen.lengths)))
    rest = length - len(prefix) - 1
    body = prefix + draw(st.text("0123456789", min_size=rest, max_size=rest))
    return body + next(check for check in "0123456789" if luhn(body + check))


def grouped(draw: st.DrawFn, number: str) -> str:
    """Returns the number in groups, separated by spaces, dashes or similar."""
    gaps = st.sampled_from(["", " - ", "   ", "\t\t", *GAPS])
    return "".join(digit + draw(gaps) for digit in number[:-1]) + number[-1]


@st.composite
def written(draw: st.DrawFn) -> str:
    """Generates text with a card number as people write it, in any script's digits."""
    text = grouped(draw, draw(numbers()))
    zero = draw(st.sampled_from("0\u2080\u0660\u0966\u09e6\uff10\U0001d7ce"))
    text = "".join(chr(ord(zero) + int(c)) if c in "0123456789" else c for c in text)
    around = st.sampled_from(["", " ", "card ", "nº", "x", "(", ": ", "Straße ", "order 17: "])
    return draw(around) + text + draw(st.sampled_from(["", " ", ", thanks", "x", ")", "."]))


@pytest.mark.parametrize("number", PUBLISHED)
def test_every_published_number_is_recognised(number: str) -> None:
    """It is recognised as one string and in groups of four."""
    assert contains_card_number(number)
    assert contains_card_number(" ".join(number[at : at + 4] for at in range(0, len(number), 4)))


@settings(deadline=None)
@given(written())
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    """It is found in any brand, grouping and script, with any text around it."""
    assert contains_card_number(text)


@pytest.mark.parametrize("gap", [*GAPS, ":", "\u20e3", "   ", "\t\t\t", " * "])
def test_any_gap_of_a_card_number_is_known(gap: str) -> None:
    """In groups of four, and between all digits."""
    assert contains_card_number(gap.join(CARD[at : at + 4] for at in range(0, 16, 4)))
    assert contains_card_number(gap.join(CARD))


@pytest.mark.parametrize("digits", ["④②", "⁴²", "₄₂", "\uff14\uff12", "٤٢"])
def test_digits_of_any_shape_are_digits(digits: str) -> None:
    """Unicode's compatibility forms are folded."""
    assert contains_card_number(digits * 8)


@pytest.mark.parametrize("number", ["6221260000000000", "6229259999999994"])
def test_the_ends_of_a_range_belong_to_it(number: str) -> None:
    """These are the first and the last prefix of Discover's co-branded cards."""
    checked = next(number[:-1] + check for check in "0123456789" if luhn(number[:-1] + check))
    assert contains_card_number(checked)


@pytest.mark.parametrize("day", [f"{month:02}" for month in range(1, 13)])
def test_no_date_and_no_telephone_number_is_refused_for_its_gaps(day: str) -> None:
    """A thirtieth has a prefix of Diners Club, and a number of Germany one of Visa."""
    for minute in range(60):
        assert not contains_card_number(f"30.{day}.2026 12:{minute:02}:00")
        assert not contains_card_number(f"30/{day}/2026, 12:{minute:02}:30 (2026-{day}-30 9:05)")
        assert not contains_card_number(f"2026-{day}-30 12:{minute:02}:00, 2026-{day}-30 13:00")
        assert not contains_card_number(f"2026-{day}-30T12:{minute:02}:00.000000+02:00")
        assert not contains_card_number(f"+49 ({day}) 1234567{minute:02}")
        assert not contains_card_number(f"+49 (0) {day} 1234567{minute:02}")
        assert not contains_card_number(f"10.{minute}.{day}.1, 192.168.{minute}.42")


@pytest.mark.parametrize("escaped", ["%34242424242424242", "4242%204242%2d4242%5F4242"])
def test_a_percent_encoded_card_number_is_found(escaped: str) -> None:
    """Every reader of the URL could decode it."""
    assert contains_card_number(f"https://shop.example/?c={escaped}")


@settings(deadline=None)
@given(numbers(), st.integers(1, 9))
def test_a_number_with_a_wrong_check_digit_is_accepted(number: str, off: int) -> None:
    """It may be an order number."""
    wrong = number[:-1] + str((int(number[-1]) + off) % 10)
    assert not contains_card_number(wrong)


@settings(deadline=None)
@given(st.text("0123456789", min_size=1, max_size=40).map(lambda digits: f"1{digits}"))
def test_a_number_without_a_brands_prefix_is_accepted(number: str) -> None:
    """No brand's numbers begin with 0, 1, 7 or 9."""
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
def test_other_numbers_are_accepted(text: str) -> None:
    """Examples: wrong lengths, times, telephone and account numbers, IDs, hashes."""
    assert not contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "42424242-4242-4242-8000-00000000000a",
        "42424242-4242-4242-8000-00000000000A",
        "order 42424242-4242-4242-8000-00000000000a?",
        f"{CARD}a{'0' * 15}",
        "6e448ee969e4836747324781",
        f"{CARD}a{'0' * 7}",
        f"{'0' * 15}A{CARD}",
    ],
)  # fmt: skip
def test_digits_of_a_random_id_are_no_card_number(text: str) -> None:
    """A client may use any UUID or hexadecimal token as its idempotency key."""
    assert not contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        f"a{CARD}",
        f"{CARD}f",
        f"{CARD}a{'0' * 6}",
        f"{'0' * 31}a {CARD}",
        f"{CARD} {CARD}-a",
        f"{'a' * 16}{CARD}z",
    ],
)
def test_letters_next_to_a_card_number_do_not_hide_it(text: str) -> None:
    """A token that is shorter than a random ID, or is no hexadecimal one, is searched."""
    assert contains_card_number(text)


def test_the_longest_text_is_scanned_fast() -> None:
    """Even crafted text of the maximum size takes less than a second."""
    for text in ("4 " * 11_000, "4" * 22_000, "4 - " * 5_000, f"{CARD[:-1]}1 " * 1_300):
        started = time.process_time()
        assert not contains_card_number(text)
        assert time.process_time() - started < 1


@given(st.text())
def test_no_text_raises(text: str) -> None:
    """The result is always a boolean."""
    assert contains_card_number(text) in {True, False}


def test_every_field_with_a_card_number_is_named() -> None:
    """A nested field is named by its path, and a key with a card number by its parent."""
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
    ("/refunds", {"amount": 1, "reason": CARD}, "reason"),
    ("/cancel", {"reason": CARD}, "reason"),
    ("/capture", {"amount": 1, CARD: CARD}, "(a card number)"),
]


@pytest.mark.parametrize(("path", "body", "field"), FIELDS)
async def test_a_card_number_in_any_field_is_refused(
    acme: httpx.AsyncClient,
    log: Log,
    caplog: pytest.LogCaptureFixture,
    path: str,
    body: dict[str, Any],
    field: str,
) -> None:
    """The 422 names the field; the digits are in no response, log line or record."""
    address = f"/v1/payments/{PAYMENT_ID}{path}" if path else "/v1/payments"
    with caplog.at_level(logging.DEBUG):
        response = await acme.post(address, json=body, headers=keyed("k"))
    problem = assert_problem(response, 422, "invalid-fields")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert "4242" not in response.text
    assert "4242" not in caplog.text
    assert log.records == []


async def test_no_card_number_from_a_header_is_published(acme: httpx.AsyncClient, log: Log) -> None:
    """In an Idempotency-Key it is refused; other headers are not published."""
    response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(f"order {CARD}"))
    (error,) = assert_problem(response, 422, "invalid-fields")["errors"]
    assert error["field"] == "Idempotency-Key"
    assert "4242" not in response.text
    other = {"traceparent": f"00-{'a' * 32}-{CARD}-01"}
    response = await acme.post("/v1/payments", json=PAYMENT, headers={**keyed("k"), **other})
    assert response.status_code == 202
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
async def test_no_error_repeats_a_card_number(
    acme: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    body: bytes,
) -> None:
    """In any other part of a request, it appears in no response and no log line."""
    headers = {"Content-Type": "application/json", **keyed("k")}
    with caplog.at_level(logging.DEBUG, logger="ingress"):
        response = await acme.request(method, path, content=body, headers=headers)
    assert 400 <= response.status_code < 500
    assert "4242" not in response.text
    assert all("4242" not in str(vars(r)) for r in caplog.records if r.name.startswith("ingress"))
