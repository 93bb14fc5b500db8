"""The workload: Stripe's object shapes, repeated and late events, and known ends."""

import time
from datetime import UTC, datetime
from statistics import median

import pytest
from pydantic import SecretStr

from bench.load.courses import COURSES
from bench.load.workload import Workload, generate
from decisions.decode import to_domain
from domain.inputs import Foreign, Input, Unmodelled
from providers.stripe.webhooks import SIGNATURE_HEADER, StripeTranslator, StripeWebhooks
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests import accounts
from tests.oracle import meaning_of

SECRET = "whsec_of_a_test"  # noqa: S105  # it protects nothing
PAYMENTS = 600
READER = StripeWebhooks((SecretStr(SECRET),), 300, lambda: datetime.now(UTC))
TRANSLATOR = StripeTranslator(accounts.STRIPE)


@pytest.fixture(scope="module")
def work() -> Workload:
    """A workload with every course."""
    return generate(7, "test", PAYMENTS)


def test_equal_arguments_make_equal_work() -> None:
    """The same seed and name make the same bytes, in the same order."""
    assert generate(7, "a", 20) == generate(7, "a", 20)


def test_a_name_changes_only_the_ids(work: Workload) -> None:
    """Another name gives other payment and event IDs, and the same mix."""
    other = generate(7, "best", PAYMENTS)
    assert not work.endings.keys() & other.endings.keys()
    assert not work.events & other.events
    assert [len(d.body) for d in work.deliveries] == [len(d.body) for d in other.deliveries]
    assert work.mix() == other.mix()


def test_a_tenth_is_repeated_and_a_tenth_is_late(work: Workload) -> None:
    """A payment has five to eight events."""
    mix = work.mix()
    assert mix["duplicates"] == pytest.approx(0.10, abs=0.02)
    assert mix["out_of_order"] == pytest.approx(0.10, abs=0.02)
    assert {1 + len(course.steps) for course in COURSES} <= set(range(5, 9))


def test_bodies_have_the_size_of_stripes(work: Workload) -> None:
    """A body has two to four kilobytes. A refund's has about one."""
    sizes = [len(delivery.body) for delivery in work.deliveries]
    assert min(sizes) > 900
    assert median(sizes) > 2000
    assert max(sizes) < 4000


def test_every_delivery_is_a_signed_webhook_of_its_payment(work: Workload) -> None:
    """Each signed delivery is read as its event about its payment."""
    now = int(time.time())
    for delivery in work.deliveries:
        header = signature_header(delivery.body, SECRET, now)
        webhook = READER.verify(delivery.body, {SIGNATURE_HEADER: header})
        assert webhook.event_id == delivery.event_id
        assert webhook.payment_id == delivery.payment_id
        assert webhook.object_id == delivery.object_id


def test_the_endings_agree_with_the_oracle(work: Workload) -> None:
    """The oracle derives the same ends from the commands and facts."""
    inputs = {c.payment_id: [Input(c.event_id, c.received_at, to_domain(c))] for c in work.commands}
    for delivery in work.deliveries:
        fact = TRANSLATOR.translate(delivery.body).fact
        if not isinstance(fact, Unmodelled | Foreign):
            inputs[delivery.payment_id].append(Input(fact.event_id, fact.occurred_at, fact))
    for payment_id, ending in work.endings.items():
        meaning = meaning_of(payment_id, inputs[payment_id])
        found = (meaning.status, meaning.captured, meaning.refunded)
        assert found == (ending.status, ending.captured, ending.refunded)
    assert {ending.status for ending in work.endings.values()} == {c.status for c in COURSES}
