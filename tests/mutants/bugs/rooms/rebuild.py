"""Bugs of the rebuild's parts: ranges, resuming, and what is left out."""

from typing import Final

from tests.mutants.planted import Bug

_RANGES: Final = "tests/processor/ops/rebuild/test_ranges.py::test_{}"
_REBUILD: Final = "tests/processor/ops/rebuild/test_rebuild.py::test_{}"
_RESUMING: Final = "tests/processor/ops/rebuild/test_resuming.py::test_{}"
_SOME: Final = "tests/processor/ops/rebuild/test_some.py::test_{}"
_PLANS: Final = "tests/processor/postgres/test_rebuild_plans.py::test_{}"

BUGS: Final = (
    Bug(
        "ops",
        "processor.ops.rebuild.deciding:_sort_out",
        "record is None and offset >= copied.get((topic, partition), 0)",
        "False",
        "an input that came after the copy makes its payment not checkable",
        (_REBUILD.format("what_comes_after_the_log_was_copied_is_no_difference"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.work:_PARTS",
        "result is null and",
        "",
        "a rebuild that goes on decides finished parts again",
        (_RESUMING.format("a_killed_rebuild_goes_on"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.rebuild.job:Job.decide",
        "share, shares)",
        "0, 1)",
        "every process decides all parts",
        (_RESUMING.format("several_processes_share_the_work"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.rebuild.copying:copy_log",
        "copied.get((topic, partition), 0) if",
        "0 if",
        "a copy that goes on reads the whole log again",
        (_RESUMING.format("a_copy_that_was_interrupted_goes_on"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.stored:_COPY_OWNERS",
        "and not ({part}",
        "and ({part}",
        "a webhook about an object of a payment in another range is decided otherwise",
        (_RANGES.format("an_object_of_a_payment_in_another_range_is_known"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.parts:Part._is_between",
        "{0} < {2}",
        "{0} <= {2}",
        "a payment at the edge of two ranges is in both",
        (_RANGES.format("an_object_of_a_payment_in_another_range_is_known"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.parts:ranges",
        'firsts = ["", *(',
        "firsts = [PREFIXES[0], *(",
        "rows whose payment ID is none are in no range",
        (_RANGES.format("a_row_whose_id_is_none_is_in_one_range"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.differences:_ROWS",
        "where {part} and payment_id",
        "where payment_id",
        "a payment that only owns an object is reported as different",
        (_RANGES.format("an_object_of_a_payment_in_another_range_is_known"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.stored:_BEHEADED",
        """not exists (select from {stored}.inbox i
                        where {part_of_i} and i.payment_id = v.payment_id
                            and i.event_id = v.event_id)""",
        "v.event_id not in (select event_id from {stored}.inbox i where true or {part_of_i})",
        "each part reads the whole inbox, so a rebuild of many never ends",
        (_PLANS.format("a_part_reads_its_own_rows"),),
        servers=True,
    ),
    Bug(
        "ops",
        "messaging.log_seeker:_at",
        "left[0] < record.offset",
        "False",
        "a record that has left the log hides those behind it",
        (_SOME.format("records_far_apart_are_sought"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.rebuild.stored:_SINCE",
        ">= %s",
        "< %s",
        "a rebuild of what is new leaves out what is new",
        (_SOME.format("payments_with_a_new_input_alone_are_decided_again"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.rebuild.results:RebuildResult.is_equal",
        "self.compared",
        "self.tables",
        "a payment that contradicts its own facts counts as equal",
        (_REBUILD.format("inputs_missing_from_the_log_are_counted_as_not_checkable"),),
        servers=True,
    ),
)
