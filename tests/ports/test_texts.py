"""Texts from outside are shown without their content, or without what a terminal would obey."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from ports.texts import printable, without_content


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
