"""The benchmarks' tests run on the session's broker, with a separate database."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bench.site import Site, at
from postgres.migrate import migrate
from sandbox.testing import Infrastructure


@pytest.fixture(scope="module")
def site(
    infrastructure: Infrastructure,
    kafka_bootstrap: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Site:
    """A migrated database for each module."""
    name = str(request.module.__name__).rpartition(".")[2]
    with psycopg.connect(infrastructure.database_url, autocommit=True) as connection:
        connection.execute(f"create database bench_{name}".encode())
    url = make_conninfo(infrastructure.database_url, dbname=f"bench_{name}")
    migrate(url)
    return at(Infrastructure(kafka_bootstrap, url), tmp_path_factory.mktemp(name))
