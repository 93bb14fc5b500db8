"""The simulator as a program: start, shutdown and kill."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from sandbox.stripe_simulator.settings import PREFIX
from sandbox.supervision.ports import free_ports
from tests.simulator.harness import API_KEY, Receiver, running

ROOT = Path(__file__).parents[2]
PAYMENT = {
    "amount": "1000",
    "currency": "eur",
    "payment_method": "pm_card_visa",
    "confirm": "true",
    "allowed_payment_method_types[0]": "card",
}


@contextlib.contextmanager
def _program(state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The serving program and its URL."""
    (port,) = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if PREFIX not in name}
    environment |= {
        f"{PREFIX}API_KEY": API_KEY,
        f"{PREFIX}PORT": str(port),
        f"{PREFIX}STATE_DIR": str(state),
        f"{PREFIX}WEBHOOK_URL": "http://127.0.0.1:9/nobody-listens",
        f"{PREFIX}WEBHOOK_SECRET": "whsec_x",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.stripe_simulator"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            url = f"http://127.0.0.1:{port}"
            assert url in program.stdout.readline()
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                client.get(f"{url}/_control/stats").raise_for_status()
            yield program, url
        finally:
            program.kill()


def test_it_ends_on_sigterm(tmp_path: Path) -> None:
    """SIGTERM shuts it down, and only the owner can read its file."""
    with _program(tmp_path) as (program, _):
        program.terminate()
        assert program.wait(20) in (0, -signal.SIGTERM)
    assert (tmp_path / "stripe_simulator.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_kill_loses_no_acknowledged_payment(tmp_path: Path) -> None:
    """After kill -9 every payment with a response exists, and its webhooks still come."""
    with _program(tmp_path) as (program, url):
        headers = {"authorization": f"Bearer {API_KEY}"}
        paid = [
            httpx.post(f"{url}/v1/payment_intents", data=PAYMENT, headers=headers).json()["id"]
            for _ in range(5)
        ]
        program.kill()
        program.wait(20)
    with running(Receiver(), state_dir=tmp_path) as simulator:
        objects = simulator.read("objects")["payment_intents"]
        assert [item["id"] for item in objects] == paid
        simulator.settle()
        received = {item.event["id"] for item in simulator.receiver.received}
        assert len(received) == 15
