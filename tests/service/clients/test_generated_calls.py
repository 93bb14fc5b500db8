"""Calls that are made up from the document alone, against the whole running service.

Schemathesis calls every operation with what the document allows and with what it forbids, and goes
from answer to answer by the links. ``make fuzz`` makes thousands of calls, this test hundreds.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.service.stack import Stack

#: For an operation and a phase. Other phases make as many as there are kinds of input.
EXAMPLES: Final = 4
SEED: Final = 1
WITHIN_S: Final = 540.0
#: What the document can't say: that a cursor is one of ours, that a key is new, and a signature.
_EXCLUDED: Final = ("positive_data_acceptance",)


def _run(stack: Stack, examples: int, report: Path) -> dict[str, Any]:
    """Runs it, and returns its report; what it printed stands beside the report."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{stack.url}/openapi.json",
        "--header", f"Authorization: Bearer {stack.api_key}",
        "--max-examples", str(examples), "--seed", str(SEED), "--generation-database", "none",
        "--exclude-checks", ",".join(_EXCLUDED), "--continue-on-failure", "--no-color",
        "--report", "json", "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603  # from above
        command, capture_output=True, text=True, check=False, timeout=WITHIN_S, cwd=report.parent
    )
    assert report.exists(), done.stdout + done.stderr
    report.with_suffix(".txt").write_text(done.stdout)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_every_call_has_a_documented_answer_and_none_is_a_failure_of_ours(
    stack: Stack, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No 5xx; each status, media type, body and header is documented; a 405 allows what there is.

    Calls go from answer to answer, so they also meet payments that there are. What was accepted can
    be read.
    """
    examples = request.config.getoption("--calls") or EXAMPLES
    report = _run(stack, examples, tmp_path / "report.json")
    said = (tmp_path / "report.txt").read_text()
    assert report["failures"] == [], said
    assert report["errors"] == [], said
    assert report["complete"]
    assert report["exit_code"] == 0
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["test_cases"]["generated"] > 100 + 10 * examples
    for operation in ("POST /v1/payments", "POST /v1/payments/{id}/refunds"):
        taken = report["valid_rates"][operation]
        assert sum(phase["accepted"] for phase in taken.values()) > 0, operation
    sys.stdout.write(f"{report['test_cases']['generated']} calls\n")
