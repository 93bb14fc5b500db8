"""``python -m bench.peers.sync_fastapi``: serves on ``PAYMENTS_INGRESS_PORT`` until SIGTERM."""

from bench.peers.serving import serve
from bench.peers.sync_fastapi.app import create_app
from providers.registry import readers, translators
from schemas.settings import DatabaseSettings, load

if __name__ == "__main__":
    serve(create_app(load(DatabaseSettings), readers()["stripe"], translators()["stripe"]))
