"""Stripe's form encoding: ``a[b]=1&c[0]=x&c[1]=y&d[]=z`` to nested dicts and lists."""

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.storage.types import JsonObject

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
_FIELDS_MAX = 1_000
_DEPTH_MAX = 6


def decode_form(encoded: str) -> JsonObject:
    """Decode a form body or a query string. All leaves are strings.

    Raises:
        ParameterError: too many or too deep parameters, or one used as a value and as a hash.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise ParameterError(f"The form could not be read: {error}") from error
    tree: JsonObject = {}
    for key, value in pairs:
        _put(tree, _path(key), value, key)
    return {name: _with_lists(branch) for name, branch in tree.items()}


def _path(key: str) -> list[str]:
    match = _KEY.match(key)
    if match is None:
        raise ParameterError(f"Invalid parameter name: {key}", param=key)
    path = [match[1], *_PART.findall(match[2])]
    if len(path) > _DEPTH_MAX:
        raise ParameterError(f"Parameter {key} is nested too deeply", param=key)
    return path


def _put(tree: JsonObject, path: list[str], value: str, key: str) -> None:
    branch = tree
    for part in path[:-1]:
        inner = branch.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ParameterError("Invalid hash", param=key)
        branch = inner
    last = path[-1] or str(len(branch))  # ``a[]`` appends
    if isinstance(branch.get(last), dict):
        raise ParameterError("Invalid value: a hash was given before", param=key)
    branch[last] = value


def _with_lists(branch: Any) -> Any:
    if not isinstance(branch, dict):
        return branch
    if branch and all(part.isdecimal() for part in branch):
        return [_with_lists(branch[part]) for part in sorted(branch, key=int)]
    return {part: _with_lists(inner) for part, inner in branch.items()}
