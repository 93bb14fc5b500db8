"""``python -m bench.peers.idiomatic_faust``: a Faust worker until SIGTERM."""

from bench.peers.faust_worker import run
from bench.peers.idiomatic_faust.app import create_app
from bench.peers.progress import serve_progress
from decisions.decode import Decoder
from providers.registry import translators
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings, load

if __name__ == "__main__":
    progress, health = serve_progress()
    settings = (load(KafkaSettings), load(DatabaseSettings), load(StreamSettings))
    run(create_app(*settings, Decoder(translators()), progress), health)
