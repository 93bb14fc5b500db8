"""A reference says where a secret stands; nothing repeats the secret itself."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.accounts.secret_references import SecretError, SecretReference, secret_of

ANY = TypeAdapter(SecretReference)
SECRET = "whsec_of_the_tests"  # noqa: S105  # a test value


def test_a_variable_or_a_file_holds_the_secret(tmp_path: Path) -> None:
    """Blanks around it, such as a file's last line break, are no part of it."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    for reference in ("env:A_SECRET", f"file:{tmp_path / 'secret'}"):
        found = secret_of(ANY.validate_python(reference), {"A_SECRET": SECRET})
        assert found.get_secret_value() == SECRET
        assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "",
        "env:",
        "env:1A",
        "env:A B",
        "file:",
        "file:relative",
        "file: /a",
        "file:/a\0b",
        "file:/a\nb",
        "vault:a",
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    """It may be the secret itself, written here by mistake."""
    with pytest.raises(ValidationError, match="where the secret stands") as refused:
        ANY.validate_python(text)
    problems = refused.value.errors(include_input=False, include_url=False, include_context=False)
    assert SECRET not in str(problems)


@pytest.mark.parametrize(
    "text", ["", "short", "with a blank", "caf\u00e9-caf\u00e9", "two\nlines-of-it"]
)
def test_what_no_header_can_carry_is_no_secret(tmp_path: Path, text: str) -> None:
    """The error names the reference, and repeats nothing that stands there."""
    path = tmp_path / "secret"
    path.write_text(text)
    with pytest.raises(SecretError, match="holds no secret") as refused:
        secret_of(f"file:{path}")
    assert not text or text not in str(refused.value)


def test_the_shortest_secret_has_eight_characters() -> None:
    """As in the settings."""
    assert secret_of("env:A", {"A": "12345678"}).get_secret_value() == "12345678"


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    """By its reference."""
    with pytest.raises(SecretError, match="env:A_SECRET is not set"):
        secret_of("env:A_SECRET", {})
    with pytest.raises(SecretError, match=r"file:.*none can't be read: FileNotFoundError"):
        secret_of(f"file:{tmp_path / 'none'}")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError, match="UnicodeDecodeError"):
        secret_of(f"file:{tmp_path / 'binary'}")
