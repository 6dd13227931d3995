"""Sources and datasets in an object store whose server refuses some of what it is asked."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from matting_data.building.build import build
from matting_data.errors import RefusedError
from matting_data.readers import dataset as dataset_reader
from matting_data.rendering.failures import FailurePolicy
from matting_data.sources import source_paths
from matting_data.upkeep.verify import verify
from tests.support.buckets import Bucket, bucket, s3_server
from tests.support.projects import Project

__all__ = ["bucket", "s3_server"]

boto3 = pytest.importorskip("boto3")

PHOTO, PERSON = "sources/photos/b01.jpg", "sources/people/p01.png"


class Proxy(ThreadingHTTPServer):
    """Passes requests on to the real server, but for those to which `refuses` gives a status."""

    daemon_threads = True

    def __init__(self, real: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.real = real
        self.refuses: Callable[[str, str], int | None] = lambda method, path: None
        self.refused = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # which answers "Expect: 100-continue"
    server: Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers: dict[str, str] = {}
        code = self.server.refuses(self.command, self.path)
        if code is not None:
            self.server.refused += 1
            answer = b"<Error><Code>SlowDown</Code></Error>"
        else:
            names = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            request = urllib.request.Request(self.server.real + self.path, body, names, method=self.command)
            try:
                with urllib.request.urlopen(request) as found:
                    code, answer, headers = found.status, found.read(), dict(found.headers)
            except urllib.error.HTTPError as error:
                code, answer, headers = error.code, error.read(), dict(error.headers)
        self.send_response(code)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    import s3fs

    proxy = Proxy(bucket.environment["AWS_ENDPOINT_URL"])
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_address[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)  # else s3fs waits between tries of its own
    monkeypatch.setattr("matting_data.storage.base.back_off", lambda *_: 0.0)
    s3fs.S3FileSystem.clear_instance_cache()
    source_paths._opened.cache_clear()
    yield proxy
    source_paths._opened.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    proxy.shutdown()
    proxy.server_close()


@pytest.fixture
def stored(project: Project, bucket: Bucket) -> tuple[Project, str]:
    """A project whose sources lie in the bucket, and the content of its dataset."""
    reference = str(project.build(out=project.root / "reference").index["content_sha256"])
    client = boto3.client("s3")
    for part, folder in (("foregrounds", "people"), ("backgrounds", "photos")):
        for path in sorted((project.root / folder).iterdir()):
            client.put_object(Bucket=bucket.name, Key=f"sources/{folder}/{path.name}", Body=path.read_bytes())
        project.recipe[part]["sources"][0] |= {"name": folder, "root": bucket.url(f"sources/{folder}")}
    return project, reference


@pytest.mark.parametrize(("key", "status"), [(PHOTO, 403), (PHOTO, 503), (PERSON, 500)])
def test_an_object_that_is_refused_makes_no_other_dataset(
    stored: tuple[Project, str], proxy: Proxy, key: str, status: int
) -> None:
    project, reference = stored
    proxy.refuses = lambda method, path: status if method == "GET" and key in path else None
    with pytest.raises(RefusedError, match=r"1 of \d+ \w+ could not be read: .*run the same command again"):
        project.build()
    assert proxy.refused and not (project.out / "dataset.json").exists()
    done = build(project.load(), project.out, 1, FailurePolicy(skip_refused=True))
    assert sum(done.index["incomplete"].values()) == done.failed == 1
    proxy.refuses = lambda method, path: None
    assert project.build().index["content_sha256"] == reference


def test_a_listing_that_is_refused(stored: tuple[Project, str], proxy: Proxy) -> None:
    project, reference = stored
    proxy.refuses = lambda method, path: 503 if "list-type" in path else None
    with pytest.raises(RefusedError, match="cannot read s3://"):
        project.build()
    proxy.refuses = lambda method, path: None
    assert project.build().index["content_sha256"] == reference


@pytest.fixture
def uploaded(project: Project, bucket: Bucket) -> str:
    """A finished dataset in the bucket."""
    project.build()
    client = boto3.client("s3")
    for path in sorted(path for path in project.out.rglob("*") if path.is_file() and ".work" not in path.parts):
        name = path.relative_to(project.out).as_posix()
        client.put_object(Bucket=bucket.name, Key=f"out/{name}", Body=path.read_bytes())
    return bucket.url("out")


@pytest.mark.parametrize("name", ["dataset.json", "train/000000.tar", "plan.parquet", "train/000001.parquet"])
def test_a_dataset_in_a_store_that_refuses_is_neither_damaged_nor_sound(uploaded: str, proxy: Proxy, name: str) -> None:
    proxy.refuses = lambda method, path: 503 if method == "GET" and path.partition("?")[0].endswith(name) else None
    with pytest.raises(RefusedError, match=r"cannot read s3://.*again"):
        verify(uploaded, True, 0, None, 1)
    if name != "plan.parquet":
        with pytest.raises(RefusedError, match=r"cannot read s3://.*again"):
            for sample in dataset_reader.open(uploaded, tries=2)["train"]:
                assert sample.alpha.any()
    proxy.refuses = lambda method, path: None
    assert verify(uploaded, True, 0, None, 1).problems == []
