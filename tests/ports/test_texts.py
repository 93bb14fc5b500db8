"""Texts from outside are shown without their content, or without what a terminal would obey."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from ports.texts import decoded, printable, repaired, without_content


class _Forbidding(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=3)] = ""


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'"jane"', Literal["a", "b"]),
        (b'["jane\' - at `x`"]', list[Literal["a"]]),
        (b'{"jane": 1}', _Forbidding),
        (b'{"name": "jane"}', _Forbidding),
        (b'{"jane": "x"}', dict[str, int]),
        (b"jane", Any),
        (b'"\xffjane"', str),
        (b'"jane"', int),
    ],
)
def test_no_error_of_msgspec_repeats_a_value_or_an_unknown_name(body: bytes, kind: Any) -> None:
    """What is wrong and where is kept."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as refused:
        msgspec.json.decode(body, type=kind)
    assert "jane" not in without_content(refused.value)
    assert len(without_content(refused.value)) > 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("Straße", "Straße"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\rc", r"a\nb\rc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    """A record could otherwise clear the screen, or hide the line before it."""
    assert printable(text) == shown
    assert printable(text + "\n", keep="\n") == shown.replace(r"\n", "\n") + "\n"


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (rb'{"a": "cut \ud83d"}', {"a": "cut \ufffd"}),
        (rb'{"a": "\uDC00\uD83D"}', {"a": "\ufffd\ufffd"}),
        (rb'{"a": "\ud83d\ude00 \u00e9 \\ud83d \n\""}', {"a": '\U0001f600 \xe9 \\ud83d \n"'}),
        (b'{"a": "\xff \xed\xa0\xbd"}', {"a": "\ufffd \ufffd\ufffd\ufffd"}),
        (b'{"a": "x\0y"}', {"a": "x\ufffdy"}),
    ],
)
def test_only_what_is_broken_is_repaired(body: bytes, whole: dict[str, str]) -> None:
    """Whole characters, spelled escapes and all other escapes stay as they are."""
    assert msgspec.json.decode(repaired(body)) == whole
    assert decoded(msgspec.json.decode, body) == whole


def test_json_of_another_kind_of_error_is_not_repaired() -> None:
    """The error is that of the decoder."""
    with pytest.raises(msgspec.DecodeError):
        decoded(msgspec.json.decode, b"{")
