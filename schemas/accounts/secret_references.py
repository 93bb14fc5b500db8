"""References to secrets: where a secret stands, never the secret itself.

``env:NAME`` is an environment variable, ``file:/path`` a file, such as a mounted secret. A file may
change while a program runs; a variable can't.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr, StringConstraints

CHARS_MIN: Final = 8
_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_FILE: Final = re.compile(r"file:/[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?")


class SecretError(Exception):
    """The secret of a reference can't be had. The text repeats nothing of it."""


def checked(reference: str) -> str:
    """Returns the reference, or raises ValueError.

    The error repeats nothing of the text: it may be the secret itself, put here by mistake.
    """
    if not _VARIABLE.fullmatch(reference) and not _FILE.fullmatch(reference):
        raise ValueError("write where the secret stands: env:NAME or file:/absolute/path")
    return reference


SecretReference = Annotated[str, StringConstraints(max_length=512), AfterValidator(checked)]


def path_of(reference: str) -> Path | None:
    """Returns the file that the reference names; None if it names a variable."""
    return Path(reference.removeprefix("file:")) if reference.startswith("file:") else None


def secret_of(reference: str, environment: Mapping[str, str] = os.environ) -> SecretStr:
    """Returns the secret, without blanks around it.

    Raises SecretError if it is missing, shorter than 8 characters, or not of printable ASCII: no
    HTTP header could carry it.
    """
    path = path_of(reference)
    if path is None:
        found = environment.get(reference.removeprefix("env:"))
        if found is None:
            raise SecretError(f"{reference} is not set")
    else:
        try:
            found = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise SecretError(f"{reference} can't be read: {type(error).__name__}") from None
    secret = found.strip()
    if len(secret) < CHARS_MIN or not re.fullmatch(r"[!-~]+", secret):
        raise SecretError(
            f"{reference} holds no secret: needed are {CHARS_MIN} printable characters or more"
        )
    return SecretStr(secret)
