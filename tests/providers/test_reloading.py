"""A mapping that follows its files: changes show within a second, mistakes change nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.reloading import EVERY_S, Made, Reloading
from schemas.settings import SettingsError
from tests.support.log_lines import lines


@dataclass
class Words:
    """A file with a word on each line; one that begins with ``wrong`` makes it wrong."""

    path: Path
    at: float = 0.0
    reads: int = 0

    def make(self) -> Made[str]:
        """Reads the file."""
        self.reads += 1
        words = self.path.read_text().split()
        for word in words:
            if word.startswith("wrong"):
                raise SettingsError(f"there is the word {word}")
        return {word: word.upper() for word in words}, (self.path,)

    def write(self, text: str) -> None:
        """Replaces the file, as programs do that write it whole or not at all."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """A file with one word."""
    made = Words(tmp_path / "words")
    made.write("one")
    return made


def test_a_change_shows_within_a_second_and_not_before(words: Words) -> None:
    """Between two looks at the file no look-up costs anything."""
    mapping = Reloading(words.make, lambda: words.at)
    words.write("one two")
    assert mapping["one"] == "ONE"
    assert dict(mapping) == {"one": "ONE"}
    words.at += EVERY_S
    assert mapping["two"] == "TWO"
    assert len(mapping) == 2
    assert list(mapping) == ["one", "two"]


@pytest.mark.parametrize("looks_for_unknown", [False, True])
def test_a_known_name_costs_one_look_at_the_files_a_second(
    words: Words, *, looks_for_unknown: bool
) -> None:
    """Each batch asks for thousands of them."""
    mapping = Reloading(words.make, lambda: words.at, looks_for_unknown=looks_for_unknown)
    for second in range(1, 4):
        words.at = second * EVERY_S
        assert mapping["one"] == "ONE"
        words.write(f"one {second}")
        assert mapping["one"] == "ONE"
        assert str(second) not in list(mapping)
        words.at += 0.9 * EVERY_S
        assert mapping["one"] == "ONE"
        assert str(second) not in list(mapping)


def test_an_unchanged_file_is_not_read_again(words: Words) -> None:
    """It is only asked for its time, size and inode."""
    mapping = Reloading(words.make, lambda: words.at)
    before = words.reads
    for _ in range(5):
        words.at += EVERY_S
        assert "one" in mapping
    assert words.reads == before


def test_a_wrong_file_changes_nothing_until_it_is_right(words: Words) -> None:
    """Not even if the file of a right one has the time of the wrong one."""
    mapping = Reloading(words.make, lambda: words.at)
    words.write("wrong")
    words.at += EVERY_S
    assert dict(mapping) == {"one": "ONE"}
    words.write("three")
    words.at += EVERY_S
    assert dict(mapping) == {"three": "THREE"}


def test_each_reason_why_a_file_is_refused_is_logged_once(
    words: Words, caplog: pytest.LogCaptureFixture
) -> None:
    """A second error after the first one is mended, and the same again after a right file."""
    mapping = Reloading(words.make, lambda: words.at)
    for text in ("wrong-1", "wrong-1", "wrong-2", "one", "wrong-2", "wrong-1"):
        words.write(text)
        for _ in range(3):
            words.at += EVERY_S
            assert dict(mapping) == {"one": "ONE"}
    reasons = [line["reason"] for line in lines(caplog, "accounts.not_reloaded")]
    assert [reason.rpartition(" ")[2] for reason in reasons] == [
        "wrong-1", "wrong-2", "wrong-2", "wrong-1",
    ]  # fmt: skip


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time_is_read(words: Words) -> None:
    """As tools do that set the times of what they copy, and within one tick of a coarse clock."""
    times = words.path.stat()
    mapping = Reloading(words.make, lambda: words.at)
    words.write("two")
    os.utime(words.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    words.at += EVERY_S
    assert dict(mapping) == {"two": "TWO"}


def test_a_file_that_is_gone_changes_nothing(words: Words) -> None:
    """What reads it raises SettingsError then."""

    def make() -> Made[str]:
        if not words.path.exists():
            raise SettingsError("it is gone")
        return words.make()

    mapping = Reloading(make, lambda: words.at)
    words.path.unlink()
    words.at += EVERY_S
    assert dict(mapping) == {"one": "ONE"}


def test_a_change_while_it_is_read_is_not_missed(words: Words) -> None:
    """The file may be written again before the first reading ends, within one tick of its clock."""
    times = words.path.stat()

    def make() -> Made[str]:
        made = words.make()
        if words.reads in {1, 2}:
            words.write("two words")
            os.utime(words.path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return made

    mapping = Reloading(make, lambda: words.at)
    words.at += EVERY_S
    assert set(mapping) == {"two", "words"}


def test_without_files_it_is_made_once() -> None:
    """As where no file of accounts is configured."""
    made: list[int] = []

    def make() -> Made[str]:
        made.append(1)
        return {"one": "ONE"}, ()

    at = iter(range(1000))
    mapping = Reloading(make, lambda: float(next(at)))
    before = len(made)
    assert mapping["one"] == "ONE"
    assert mapping["one"] == "ONE"
    assert len(made) == before


def test_a_wrong_file_stops_the_start(words: Words) -> None:
    """There is nothing right from before."""
    words.write("wrong")
    with pytest.raises(SettingsError):
        Reloading(words.make)
