"""Identifiers are derived, not random: a retry gets the same ID, in every release."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import identity

#: Hypothesis's deadline would fail on a busy machine.
unhurried = settings(deadline=None)

PAYMENT = "pay_47mhc337hb7du6shhyfh3nsilqfitr"
OPERATION = "op_b4ap4uhgr4w462krd3zfep34km"
FINGERPRINT = "ypa5eeqrg6uo7bbjhzozm24ocm"

#: Every release must derive the same IDs, because rows and clients contain them.
PINNED: list[tuple[str, str]] = [
    (identity.payment_id("shop", "order-1"), PAYMENT),
    (identity.payment_id("", ""), "pay_6d4wmcrcgqxjslrr5mhzzy5azib4of"),
    (identity.payment_id("größe", "\N{SNOWMAN}"), "pay_flgc4vljlqq4n76ei5js62dczqgyjw"),
    (identity.operation_id("shop", PAYMENT, "capture", "cap-1"), OPERATION),
    (identity.fingerprint({"b": [1, None, True], "a": "ü"}), FINGERPRINT),
    (identity.command_event_id(OPERATION, FINGERPRINT), "cmd_zp7vkbc4ucevk7wx5zf5ad5zke"),
    (identity.refund_id(PAYMENT, "r-1"), "ref_n3x7udebawozussema3n6rk4he"),
    (identity.provider_made_id("ref", "stripe", "re_1"), "ref_7vjti4bjwzjxtuvvdr4u4y3obq"),
    (identity.provider_made_id("dis", "stripe", "re_1"), "dis_gdkltm5dndhnkwtb3rf7wnpdhu"),
    (identity.result_event_id(f"{PAYMENT}:create"), "res_fb4tjtvoeoiddke2rqfrvs37cu"),
    (
        identity.release_event_id(PAYMENT, "evt_1", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        "rel_dvfiqokcggdebjk6oietk3ke2e",
    ),
]


@pytest.mark.parametrize(("made", "pinned"), PINNED, ids=[pinned for _, pinned in PINNED])
def test_an_identifier_never_changes_between_releases(made: str, pinned: str) -> None:
    """If it did, a client's retry would create a second payment."""
    assert made == pinned


@unhurried
@given(tenant=st.text(), key=st.text())
def test_a_retry_is_the_same_payment(tenant: str, key: str) -> None:
    """Its ID is the same, has the published form, and belongs to the tenant."""
    made = identity.payment_id(tenant, key)
    assert made == identity.payment_id(tenant, key)
    assert re.fullmatch(identity.PAYMENT_ID_PATTERN, made)
    assert identity.belongs_to(tenant, made)


@unhurried
@given(first=st.tuples(st.text(), st.text()), second=st.tuples(st.text(), st.text()))
def test_another_tenant_or_key_is_another_payment(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    """Two pairs of tenant and key share an ID only if they are equal."""
    assert (_core(*first) == _core(*second)) is (first == second)


@unhurried
@given(text=st.text(min_size=1), data=st.data())
def test_the_boundary_between_parts_matters(text: str, data: st.DataObject) -> None:
    """Each part is hashed with its length, so ("ab", "c") differs from ("a", "bc")."""
    cuts = st.integers(0, len(text))
    first, second = data.draw(cuts), data.draw(cuts)
    made = [_core(text[:cut], text[cut:]) for cut in (first, second)]
    assert (made[0] == made[1]) is (first == second)
    operations = ((text[:cut], text[cut:]) for cut in (first, second))
    made = [identity.operation_id("shop", PAYMENT, *parts) for parts in operations]
    assert (made[0] == made[1]) is (first == second)


@pytest.mark.parametrize(("first", "second"), [("a", "aa"), ("\0", "\0\0"), ("", "\0\0\0\0")])
def test_a_part_is_never_read_as_a_length(first: str, second: str) -> None:
    """Zero bytes in a key can't be confused with the length before it."""
    made = {_core(first, second), _core(second, first), _core(first + second, "")}
    assert len(made) == len({(first, second), (second, first), (first + second, "")})


def _core(tenant: str, key: str) -> str:
    """Returns a payment ID without its check characters, which differ by tenant anyway."""
    return identity.payment_id(tenant, key)[:30]


@pytest.mark.parametrize("tenant", ["", "Shop", "shop ", "shop2", "sho", "globex"])
def test_a_payment_id_does_not_belong_to_another_tenant(tenant: str) -> None:
    """Its check characters depend on the tenant."""
    assert not identity.belongs_to(tenant, PAYMENT)


@pytest.mark.parametrize("position", range(len("pay_"), len(PAYMENT)))
def test_a_mistyped_id_belongs_to_no_tenant(position: int) -> None:
    """One wrong character anywhere is detected without a look-up."""
    wrong = "a" if PAYMENT[position] != "a" else "b"
    assert not identity.belongs_to("shop", PAYMENT[:position] + wrong + PAYMENT[position + 1 :])


@pytest.mark.parametrize(
    "identifier",
    ["", "pay_", PAYMENT[:-1], f"{PAYMENT}a", f"{PAYMENT}\n", PAYMENT[4:], PAYMENT.upper()],
)
def test_an_id_of_another_form_belongs_to_no_tenant(identifier: str) -> None:
    """Examples: too short, too long, without its prefix, in capitals."""
    assert not identity.belongs_to("shop", identifier)
    assert not re.fullmatch(identity.PAYMENT_ID_PATTERN, identifier)


@unhurried
@given(part=st.text(), other=st.text())
def test_each_kind_of_identifier_has_its_own_namespace(part: str, other: str) -> None:
    """The same parts give different IDs for different kinds, even without the prefix."""
    made = [
        identity.payment_id(part, other)[4:30],
        identity.refund_id(part, other)[4:],
        identity.command_event_id(part, other)[4:],
        identity.provider_made_id("ref", part, other)[4:],
        identity.provider_made_id("dis", part, other)[4:],
        identity.result_event_id(part)[4:],
    ]
    assert len(set(made)) == len(made)


def test_an_operation_is_named_by_tenant_payment_operation_and_key() -> None:
    """A retry has the same ID; another key, operation, payment or tenant gives another."""
    made = identity.operation_id("shop", PAYMENT, "capture", "key")
    assert made == identity.operation_id("shop", PAYMENT, "capture", "key")
    others = [
        ("shop", PAYMENT, "capture", "kez"),
        ("shop", PAYMENT, "cancel", "key"),
        ("shop", "pay_x", "capture", "key"),
        ("globex", PAYMENT, "capture", "key"),
    ]
    assert made not in {identity.operation_id(*other) for other in others}


def test_a_commands_event_id_depends_on_its_body() -> None:
    """A retry has the same event ID; another body with the same key has a different one."""
    bodies = [identity.fingerprint({"amount": amount}) for amount in (1, 1, 2)]
    first, retry, other = [identity.command_event_id(OPERATION, body) for body in bodies]
    assert first == retry != other


@unhurried
@given(
    body=st.dictionaries(
        st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans()), min_size=1
    ),
    random=st.randoms(use_true_random=False),
)
def test_a_fingerprint_does_not_depend_on_the_order_of_fields(
    body: dict[str, Any], random: Any
) -> None:
    """JSON objects are unordered."""
    names = list(body)
    random.shuffle(names)
    assert identity.fingerprint({name: body[name] for name in names}) == identity.fingerprint(body)
    assert identity.fingerprint({**body, names[0]: "something else ..."}) != identity.fingerprint(
        body
    )


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (1, True), (None, ""), ([], {}), ("a", ["a"]), (1, 1.5)]
)
def test_a_fingerprint_distinguishes_types(one: object, other: object) -> None:
    """Bodies with similar values of different types have different fingerprints."""
    assert identity.fingerprint({"a": one}) != identity.fingerprint({"a": other})


def test_a_release_is_one_event_per_quarantine() -> None:
    """Its ID is the same in any time zone and different for another quarantine."""
    since = datetime(2026, 3, 1, 12, tzinfo=UTC)
    elsewhere = since.astimezone(timezone(timedelta(hours=5, minutes=30)))
    release = identity.release_event_id(PAYMENT, "evt_1", since)
    assert identity.release_event_id(PAYMENT, "evt_1", elsewhere) == release
    later = since + timedelta(microseconds=1)
    others = {
        identity.release_event_id(PAYMENT, "evt_1", later),
        identity.release_event_id(PAYMENT, "evt_2", since),
        identity.release_event_id("pay_other", "evt_1", since),
    }
    assert len(others) == 3
    assert release not in others
