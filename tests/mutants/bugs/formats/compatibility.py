"""Bugs of the gate that compares the formats with the frozen ones."""

from typing import Final

from tests.mutants.planted import Bug

_SCHEMAS: Final = "tests/compatibility/test_schemas.py::test_{}"
_DOCUMENTS: Final = "tests/compatibility/test_documents.py::test_{}"
_FROZEN: Final = "tests/compatibility/test_frozen.py::test_{}"
_READERS: Final = _SCHEMAS.format("a_change_that_breaks_readers_is_refused")
_SENDERS: Final = _SCHEMAS.format("a_change_that_breaks_senders_is_refused")
_CLIENTS: Final = _DOCUMENTS.format("a_change_that_breaks_clients_is_refused")

_GATE: Final = Bug(
    "ingress",
    "schemas.state:RefundState",
    'Annotated[MinorUnits, Field(description="Minor units of the payment\'s currency.")]',
    'Annotated[MinorUnits | None, Field(description="Minor units of the payment\'s currency.")]',
    "a refund may come without an amount, which no consumer expects",
    (_FROZEN.format("no_format_has_changed_but_by_additions"),),
)
_OF_TOOLS: Final = tuple(
    Bug("ingress", f"tools.{symbol}", expression, replacement, consequence, (test,))
    for symbol, expression, replacement, consequence, test in (
        (
            "compatibility:_Comparison._fields",
            "name in needed and name not in needs",
            "False",
            "a field that readers rely on may be left out",
            _READERS,
        ),
        (
            "compatibility:_Comparison._fields",
            "name not in now",
            "False and name not in now",
            "a field may go",
            _SCHEMAS.format("a_change_that_breaks_readers_is_refused[a field is gone]"),
        ),
        (
            "compatibility:_Comparison._fields",
            "name in needs and name not in needed",
            "name in needs and name not in needed and not is_new",
            "requests get a new required field",
            _SENDERS,
        ),
        (
            "compatibility:_Comparison.breaks",
            "if [] not in tried:",
            "if len(tried) > 9:",
            "a field may become null",
            _READERS,
        ),
        (
            "compatibility:_values",
            "value not in allowed",
            "value in ()",
            "a status may be added that no reader knows",
            _READERS,
        ),
        (
            "compatibility:_values",
            "allowed is not None and not is_open",
            "allowed is not None",
            "a value may not be added where more were announced",
            _SCHEMAS.format("a_change_that_readers_do_not_notice_passes"),
        ),
        (
            "compatibility:_bounds",
            "inner is None or not is_within(inner, wide[keyword])",
            "inner is None",
            "an amount may become larger than readers have room for",
            _READERS,
        ),
        (
            "compatibility:_Comparison._default",
            'old.get("default") != new.get("default")',
            "False",
            "what a client left out means something else",
            _SENDERS,
        ),
        (
            "compatible_documents:_answer_breaks",
            'status.startswith("2")',
            'status.startswith("3")',
            "a success may be answered with another status",
            _CLIENTS,
        ),
        (
            "compatible_documents:_parameter_breaks",
            'required and not was.get(name, {}).get("required", False)',
            "required and name in was and not was[name].get('required', False)",
            "an address needs a new parameter",
            _CLIENTS,
        ),
        (
            "compatible_documents:_topic_breaks",
            'now["max.message.bytes"] > was["max.message.bytes"]',
            "False",
            "a record may be too large for those who read it",
            _DOCUMENTS.format("a_change_that_breaks_consumers_is_refused"),
        ),
        (
            "freeze:freeze",
            "if not refused:",
            "if now:",
            "a breaking change is frozen although it is refused",
            _FROZEN.format("freezing_takes_additions_and_refuses_the_rest"),
        ),
    )
)
BUGS: Final = (_GATE, *_OF_TOOLS)
