"""Bugs in reading the options of the operators' commands."""

from typing import Final

from tests.mutants.planted import Bug

_COMMAND_LINE: Final = ("tests/processor/ops/test_command_line.py",)

BUGS: Final = (
    Bug(
        "cli",
        "cli.checks:audit",
        'metavar="ID", parser=payment_id,',
        'metavar="ID",',
        "an audit that was to go on at a mistyped payment ID leaves payments out",
        _COMMAND_LINE,
    ),
    Bug(
        "cli",
        "cli.replay:replay",
        'metavar="ID", parser=payment_id,',
        'metavar="ID",',
        "a mistyped payment ID is looked for among the quarantined payments",
        _COMMAND_LINE,
    ),
    Bug(
        "cli",
        "cli.dead_letters:_position",
        "ops.parse_position(text)",
        "pass",
        "a mistyped position of a dead letter is a defect with a traceback",
        _COMMAND_LINE,
    ),
)
