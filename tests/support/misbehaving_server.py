"""A real HTTP server on this machine that misbehaves as told, and remembers what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from matting_data.imaging import encode


def photo(seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a JPEG of noise."""
    rng = np.random.default_rng(seed)
    return encode.jpeg(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@dataclass(frozen=True)
class Asked:
    path: str
    range: str
    if_range: str
    time: float


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        headers = self.headers
        with self.server.lock:
            self.server.asked.append(
                Asked(self.path, headers.get("Range", ""), headers.get("If-Range", ""), time.monotonic())
            )
            answers = self.server.answers.get(self.path, [status(404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def start(self, code: int, length: int | None, **headers: str) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


Behaviour = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), Handler)
        self.lock = threading.Lock()
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Behaviour]] = {}
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def at(self, path: str, *answers: Behaviour) -> str:
        """Answer requests for `path` with these, the last one for ever; return its address."""
        self.answers[path] = list(answers)
        return self.url + path

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def good(body: bytes, kind: str = "image/jpeg", **headers: str) -> Behaviour:
    """The whole body, whatever range was asked for."""

    def answer(handler: Handler) -> None:
        handler.start(200, len(body), Content_Type=kind, **headers)
        handler.wfile.write(body)

    return answer


def status(code: int, body: bytes = b"no", **headers: str) -> Behaviour:
    def answer(handler: Handler) -> None:
        handler.start(code, len(body), **headers)
        handler.wfile.write(body)

    return answer


def redirect(location: str, code: int = 302) -> Behaviour:
    return status(code, b"", Location=location)


def cut(body: bytes, after: int, reset: bool = False, **headers: str) -> Behaviour:
    """Promise the whole body, send a part, and close the connection; `reset` sends RST."""

    def answer(handler: Handler) -> None:
        handler.start(200, len(body), **headers)
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        if reset:
            time.sleep(0.05)  # a reset overtakes what the other side has not read yet
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.wfile = open("/dev/null", "wb")  # noqa: SIM115
        handler.close_connection = True

    return answer


def unsized(body: bytes) -> Behaviour:
    """As HTTP/1.0 does: no length, the end of the connection is the end."""

    def answer(handler: Handler) -> None:
        handler.start(200, None, Connection="close")
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def silent(handler: Handler) -> None:
    """Never answer."""
    handler.server.released.wait(20)
    handler.close_connection = True


def stall(body: bytes, after: int, **headers: str) -> Behaviour:
    """Send a part, then nothing."""

    def answer(handler: Handler) -> None:
        handler.start(200, len(body), **headers)
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        silent(handler)

    return answer


def drip(body: bytes, pause: float) -> Behaviour:
    """A byte at a time: every single read is in time, the whole never ends."""

    def answer(handler: Handler) -> None:
        handler.start(200, len(body))
        for byte in body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if handler.server.released.wait(pause):
                return

    return answer


def ranged(body: bytes, etag: str = '"v1"', **headers: str) -> Behaviour:
    """Ranges as they should be, with If-Range."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range", "")
        if not asked or handler.headers.get("If-Range", etag) != etag:
            handler.start(200, len(body), ETag=etag, **headers)
            handler.wfile.write(body)
            return
        first = int(asked.removeprefix("bytes=").split("-")[0])
        if first >= len(body):
            handler.start(416, 0, Content_Range=f"bytes */{len(body)}")
            return
        rest = body[first:]
        handler.start(206, len(rest), ETag=etag, Content_Range=f"bytes {first}-{len(body) - 1}/{len(body)}", **headers)
        handler.wfile.write(rest)

    return answer
