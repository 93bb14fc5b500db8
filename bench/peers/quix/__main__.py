"""``python -m bench.peers.quix``: runs until SIGTERM."""

from bench.peers.progress import serve_progress
from bench.peers.quix.app import create_app
from decisions.decode import Decoder
from providers.registry import translators
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings, load

if __name__ == "__main__":
    _, health = serve_progress()
    settings = (load(KafkaSettings), load(DatabaseSettings), load(StreamSettings))
    app = create_app(*settings, Decoder(translators()))
    health.update(operational=True)  # the warm-up shows whether it reads
    app.run()
