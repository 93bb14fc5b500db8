"""The topics: co-partitioning and retention."""

import pytest

from schemas import headers
from schemas.topics import (
    DAY_MS,
    DEAD_LETTER_BYTES_MAX,
    DEAD_LETTERS,
    HOUR_MS,
    PAYMENT_COMMANDS,
    PROCESSOR_SOURCES,
    TOPICS,
    Topic,
    fetching,
    request_bytes_max,
)

BY_NAME = {topic.name: topic for topic in TOPICS}


def test_every_topic_is_listed_once_and_described() -> None:
    """The table has its key, its value, its writers and its readers."""
    assert len(BY_NAME) == len(TOPICS) == 7
    for topic in TOPICS:
        assert all((topic.key, topic.value, topic.written_by, topic.read_by))


def test_the_topics_keyed_by_payment_are_copartitioned() -> None:
    """So one stream worker owns all records of a payment, including those it publishes."""
    copartitioned = {topic.name for topic in TOPICS if topic.copartitioned}
    assert copartitioned == {*PROCESSOR_SOURCES, "payment-state", "payment-operations"}
    assert {BY_NAME[name].key for name in copartitioned} == {"payment ID"}


def test_the_processor_reads_exactly_its_sources() -> None:
    """The table of topics agrees with the list of sources."""
    assert {t.name for t in TOPICS if "processor" in t.read_by} == set(PROCESSOR_SOURCES)


@pytest.mark.parametrize(
    "name", [*PROCESSOR_SOURCES, "payment-operations", "provider-webhooks-unrouted"]
)
def test_accepted_records_are_kept_for_the_retention(name: str) -> None:
    """They leave by their age alone, in segments of a day at most."""
    found = BY_NAME[name].settings(log_retention_s=100_000.5)
    assert found["cleanup.policy"] == "delete"
    assert found["retention.ms"] == "100000500"
    assert int(found["segment.ms"]) == DAY_MS


def test_states_are_compacted_and_dead_letters_kept_for_90_days() -> None:
    """A payment's last state is kept for ever. Operators have three months for dead letters."""
    state = BY_NAME["payment-state"].settings(log_retention_s=1)
    assert (state["cleanup.policy"], state["retention.ms"]) == ("compact", "-1")
    dead = BY_NAME["dead-letters"].settings(log_retention_s=1)
    assert dead["retention.ms"] == str(90 * DAY_MS)


def test_a_replaced_state_can_be_read_for_half_a_day_and_is_gone_after_one() -> None:
    """The newest segment is never compacted, so it is closed within the hour."""
    state = BY_NAME["payment-state"].settings(log_retention_s=1)
    assert int(state["min.compaction.lag.ms"]) == 12 * HOUR_MS
    assert int(state["max.compaction.lag.ms"]) == 24 * HOUR_MS
    assert int(state["segment.ms"]) == HOUR_MS


def test_every_topic_is_compressed() -> None:
    """Also what another program writes."""
    assert {t.settings(1)["compression.type"] for t in TOPICS} == {"zstd"}


def test_a_topic_is_copartitioned_by_default() -> None:
    """If a new topic's flag is forgotten, the check at start-up fails, and order is kept."""
    assert Topic("x", key="", value="", written_by="", read_by="").copartitioned


def test_the_largest_record_of_several_topics_can_be_sent_and_fetched() -> None:
    """One that can be sent and not fetched would stop a consumer for ever."""
    topics = (PAYMENT_COMMANDS, DEAD_LETTERS)
    assert fetching(*topics)["max_partition_fetch_bytes"] == DEAD_LETTER_BYTES_MAX
    assert DEAD_LETTER_BYTES_MAX * 3 // 4 < request_bytes_max(*topics) < DEAD_LETTER_BYTES_MAX


def test_header_names_are_unique() -> None:
    """No header hides another in a record."""
    names = [
        value
        for name, value in vars(headers).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("CLOUD_EVENT")
    ]
    assert len(names) == len(set(names)) == 13
