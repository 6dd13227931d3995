"""A web server that knows byte ranges, and misbehaves when it is told to."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path


class RangeServer(http.server.ThreadingHTTPServer):
    """Serves a folder with byte ranges; `trouble` says what goes wrong with the next requests for shards."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, root))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.trouble: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.ranges = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangeServer

    def __init__(self, root: Path, *arguments: object) -> None:
        self.root = root
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = self.root / self.path.lstrip("/")
        asked = self.headers.get("Range", "")
        self.server.asked.append((self.path, asked))
        if not path.is_file():
            self._send(404, b"no")
            return
        data, code = path.read_bytes(), 200
        if asked and self.server.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            data, code = data[int(first) : int(last) + 1], 206
        trouble = self.server.trouble.pop(0) if self.server.trouble and path.suffix == ".tar" else ""
        if trouble == "busy":
            self._send(503, b"busy")
        elif trouble == "forbidden":
            self._send(403, b"no")
        elif trouble == "halfway":
            self._send(code, data if body else b"", cut=len(data) // 2)
        elif trouble == "short":
            self._send(code, data[: len(data) // 2])
        else:
            self._send(code, data if body else b"", length=len(data))

    def _send(self, code: int, data: bytes, length: int | None = None, cut: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data[:cut])
        if cut is not None:
            self.close_connection = True
