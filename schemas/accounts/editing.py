"""Changes of the file of accounts: pure ones of its JSON, and one writer.

The JSON is changed and not built again from the models, so what it says otherwise, and its order,
stay as a person wrote them.
"""

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from schemas.accounts.provider_accounts import (
    BYTES_MAX,
    AccountFile,
    AccountFileError,
    document_of,
    parsed,
)

#: The JSON of a right file.
Document = Mapping[str, Any]


def with_account(document: Document, name: str, account: Mapping[str, Any]) -> Document:
    """Returns the file with one more account, at its end. Raises AccountFileError."""
    accounts = document.get("accounts", {})
    if name in accounts:
        raise AccountFileError(
            f"accounts.{name}: there is an account of this name: choose another name, or change "
            "that one in the file"
        )
    return {**document, "accounts": {**accounts, name: account}}


def with_secrets(
    document: Document,
    name: str,
    added: Sequence[str],
    removed: Sequence[str],
    kind: str = "webhook_secrets",
) -> Document:
    """Returns the file with other references to secrets of an account, new ones last.

    Raises AccountFileError for one that is there already or is missing, and if none is left.
    ``kind`` is the field: of webhooks, or of notices.
    """
    accounts = document.get("accounts", {})
    if name not in accounts:
        there = ", ".join(accounts) or "none"
        raise AccountFileError(f"accounts.{name}: the file has no such account; it has: {there}")
    account, field = accounts[name], f"accounts.{name}.{kind}"
    if (platform := account.get("platform")) is not None:
        raise AccountFileError(f"{field}: it has none of its own: rotate those of {platform}")
    secrets = list(account.get(kind, ()))
    for reference in added:
        if reference in secrets:
            raise AccountFileError(f"{field}: {reference} is there already")
        secrets.append(reference)
    for reference in removed:
        if reference not in secrets:
            # the text may be a secret by mistake, so it is not repeated
            raise AccountFileError(f"{field}: what to remove is none of {', '.join(secrets)}")
        secrets.remove(reference)
    if not secrets:
        raise AccountFileError(f"{field}: no secret would be left: add the new one first")
    return {**document, "accounts": {**accounts, name: {**account, kind: secrets}}}


def rewrite(
    path: Path, change: Callable[[Document], Document], check: Callable[[AccountFile], None]
) -> None:
    """Replaces the file as a whole by the changed one, if that is right.

    A program that reads it meanwhile gets the old or the new one. Changes wait for one another.

    Args:
        path: the file. Where it is a link, what it links to is replaced.
        change: returns the changed JSON.
        check: raises for a file that has the right form and is wrong all the same.

    Raises:
        AccountFileError: the file is wrong before or after the change, or can't be written.
    """
    path = path.resolve()
    try:
        with _alone_in(path.parent):
            document = document_of(path)
            parsed(path, document)
            changed = change(document)
            check(parsed(path, changed))
            _replace(path, changed)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise AccountFileError(f"{path}: it can't be written: {why}") from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Waits for other changes in the folder to end. The file itself is no lock: it is replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, document: Document) -> None:
    """Writes beside the file, then renames: it is never half written. Mode and owner are kept."""
    text = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    if len(text) > BYTES_MAX:
        raise AccountFileError(f"{path}: it would be larger than {BYTES_MAX} bytes")
    before = path.stat()
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as new:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(new.fileno(), before.st_uid, before.st_gid)
            os.fchmod(new.fileno(), stat.S_IMODE(before.st_mode))
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
