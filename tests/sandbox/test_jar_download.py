"""Downloads: only files of the lock are stored, and a failure is one line."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.errors import DownloadError
from sandbox.servers import jar_download
from sandbox.supervision.ports import HOST, free_ports


class Forger(BaseHTTPRequestHandler):
    """A repository that serves wrong content under every name."""

    def do_GET(self) -> None:
        """Respond with a few bytes instead of a jar."""
        content = b"not what was asked for"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def forger() -> Iterator[int]:
    """The port of a repository with wrong content."""
    with ThreadingHTTPServer((HOST, 0), Forger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def use_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int) -> None:
    """A user's jgo configuration with ``port`` as the repository."""
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = http://{HOST}:{port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("NO_PROXY", HOST)
    monkeypatch.setattr(jar_download, "ATTEMPTS", 1)


def test_a_jar_that_was_altered_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forger: int
) -> None:
    """A file with another hash than the lock's never reaches the class path."""
    use_repository(monkeypatch, tmp_path, forger)
    with pytest.raises(DownloadError, match="SHA-256"):
        jar_download.download(tmp_path / "jars", lambda _count: None)
    assert list((tmp_path / "jars").iterdir()) == []


def test_an_unreachable_repository_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line says what failed, the reason, and what to check."""
    (port,) = free_ports(1)
    use_repository(monkeypatch, tmp_path, port)
    with pytest.raises(DownloadError) as failure:
        jar_download.download(tmp_path / "jars", lambda _count: None)
    line = str(failure.value)
    assert "\n" not in line
    assert "could not download" in line
    assert "refused" in line
    assert "HTTPS_PROXY" in line
