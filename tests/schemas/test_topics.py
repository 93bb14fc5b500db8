"""The topics: what is co-partitioned with what, and how long each keeps its records."""

import pytest

from schemas import headers
from schemas.topics import DAY_MS, PROCESSOR_SOURCES, TOPICS, Topic

BY_NAME = {topic.name: topic for topic in TOPICS}


def test_every_topic_stands_there_once_and_says_what_it_carries() -> None:
    """Its key, its value, who writes it, who reads it."""
    assert len(BY_NAME) == len(TOPICS) == 6
    for topic in TOPICS:
        assert all((topic.key, topic.value, topic.written_by, topic.read_by))


def test_what_is_said_of_one_payment_is_in_partitions_of_one_number() -> None:
    """The processor's sources and what it publishes: one worker owns all of a payment's records."""
    together = {topic.name for topic in TOPICS if topic.copartitioned}
    assert together == {*PROCESSOR_SOURCES, "payment-state"}
    assert {BY_NAME[name].key for name in together} == {"payment ID"}


def test_the_processor_reads_its_sources_and_no_more() -> None:
    """What it reads is what the table says it reads."""
    assert {t.name for t in TOPICS if "processor" in t.read_by} == set(PROCESSOR_SOURCES)


@pytest.mark.parametrize("name", [*PROCESSOR_SOURCES, "provider-webhooks-unrouted"])
def test_what_was_accepted_is_kept_for_ever(name: str) -> None:
    """The log is what everything can be rebuilt from: no retention, no compaction."""
    assert BY_NAME[name].config == {"retention.ms": "-1"}


def test_states_are_compacted_and_dead_letters_kept_for_90_days() -> None:
    """The last state of a payment stays for ever; an operator has three months for the dead."""
    state = BY_NAME["payment-state"].config
    assert state["cleanup.policy"] == "compact"
    assert "retention.ms" not in state
    dead = BY_NAME["dead-letters"].config
    assert dead["retention.ms"] == str(90 * DAY_MS)


def test_a_topic_is_co_partitioned_unless_it_says_otherwise() -> None:
    """A new one that is forgotten fails the check at start, not the order per payment."""
    assert Topic("x", key="", value="", written_by="", read_by="").copartitioned


def test_headers_have_names_of_their_own() -> None:
    """No two of them share one, so that none hides another in a record."""
    names = [
        value
        for name, value in vars(headers).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("CLOUD_EVENT")
    ]
    assert len(names) == len(set(names)) == 11
