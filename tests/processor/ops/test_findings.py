"""What an audit found in its ranges, added up."""

from processor.ops.audit.findings import EXAMPLES_MAX, Findings


def _found(*texts: str) -> Findings:
    found = Findings()
    found.add("S5", texts)
    found.by_code["S5"].checked = 10
    return found


def test_all_violations_of_all_ranges_are_counted() -> None:
    """Only the first are kept in words."""
    many = [f"pay_{number} is wrong" for number in range(EXAMPLES_MAX + 4)]
    whole = Findings()
    for texts in ([], many, many[:2]):
        whole.merge(_found(*texts).by_code)
    finding = whole.by_code["S5"]
    assert (finding.checked, finding.violations) == (30, EXAMPLES_MAX + 6)
    assert finding.first == many[:EXAMPLES_MAX]
    assert whole.is_violated


def test_examples_of_a_later_range_are_kept_while_there_is_room() -> None:
    """They come in the order of the ranges."""
    whole = Findings()
    for text in ("first", "second"):
        whole.merge(_found(text).by_code)
    assert whole.by_code["S5"].first == ["first", "second"]
    assert whole.by_code["S5"].violations == 2
