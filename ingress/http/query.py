"""Reads query parameters strictly: one that is not known changes nothing, so it is refused."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from ingress.errors import InvalidFieldsError
from ingress.http.problems import shown_name
from schemas.http import FieldProblem

#: A parameter with a key, such as ``metadata[order]``.
_KEYED: Final = re.compile(r"([^\[\]]+)\[(.*)\]", re.DOTALL)
_LISTS: Final = frozenset({list, tuple, set, frozenset})
_STYLE: Final = "deepObject"


def refuse_unknown(request: Request) -> None:
    """Raises InvalidFieldsError for a parameter that the route does not have, or not so often.

    A filter that is misspelt would otherwise return what nobody asked for.
    """
    route = request.scope.get("route")
    if request.method != "GET" or not isinstance(route, APIRoute):
        return
    plain, keyed = _parameters(route), _keyed(route)
    wrong = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        found = _KEYED.fullmatch(name)
        if found is not None and found[1] in keyed:
            continue  # how many there may be, the route says
        if name not in plain:
            allowed = ", ".join([*plain, *(f"{each}[...]" for each in keyed)]) or "none"
            problem = f"This parameter is unknown. Known here: {allowed}"
            wrong.append(FieldProblem(field=shown_name(name), problem=problem))
        elif times > 1 and not plain[name]:
            wrong.append(FieldProblem(field=name, problem="Send this parameter once"))
    if wrong:
        raise InvalidFieldsError("Correct each parameter that is listed in errors.", wrong)


def keyed_parameters(request: Request, name: str) -> Iterator[tuple[str, str]]:
    """Returns the keys and values of ``name[key]=value``, in the order in which they came."""
    for each, value in request.query_params.multi_items():
        found = _KEYED.fullmatch(each)
        if found is not None and found[1] == name:
            yield found[2], value


def keyed_parameter(
    name: str, description: str, schema: Mapping[str, Any], example: Mapping[str, str]
) -> dict[str, Any]:
    """Returns the documentation of a parameter with a key, which FastAPI has no form for."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "style": _STYLE,
        "explode": True,
        "description": description,
        "schema": dict(schema),
        "example": dict(example),
    }


def _parameters(route: APIRoute) -> Mapping[str, bool]:
    """The route's parameters, each with whether it may be repeated."""
    return {
        field.alias: _is_list(field.field_info.annotation)
        for dependant in _all(route.dependant)
        for field in dependant.query_params
    }


def _keyed(route: APIRoute) -> list[str]:
    documented = (route.openapi_extra or {}).get("parameters", ())
    return [each["name"] for each in documented if each.get("style") == _STYLE]


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for further in dependant.dependencies:
        yield from _all(further)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(each) in _LISTS for each in (annotation, *get_args(annotation)))
