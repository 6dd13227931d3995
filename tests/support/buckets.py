"""A real S3 server (moto's, in a thread of this process) with one bucket, for the tests of object stores."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the environment in which boto finds its server."""

    environment: dict[str, str]
    name: str = "people"

    def url(self, prefix: str) -> str:
        return f"s3://{self.name}/{prefix}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request, else
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server.stop()


@pytest.fixture
def bucket(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket; builds keep their check results below `tmp_path`."""
    import boto3
    import s3fs

    environment = {**s3_server, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = Bucket(environment)
    store = boto3.resource("s3").create_bucket(Bucket=bucket.name)
    yield bucket
    store.objects.delete()
    store.delete()
