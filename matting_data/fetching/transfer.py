"""One file from its address to its name: tries, continuing where the last one broke off, and the checks between."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from matting_data.errors import RejectedInput
from matting_data.fetching.client import Answer, Client, Mishap, host_of, retry_after
from matting_data.fetching.content_checks import check_file
from matting_data.fetching.fetch_ledger import Fetched
from matting_data.fetching.placeholder import announces_placeholder
from matting_data.fetching.throttle import Throttle
from matting_data.fetching.wanted import Wanted
from matting_data.storage.atomic import PartialFile, partial_file, sha256_file
from matting_data.storage.retries import back_off

MAX_IMAGE_BYTES = 1 << 30
"""Limit on an image whose length nobody knows beforehand; far above any photograph."""

LONGEST_WAIT = 300.0
"""A ``Retry-After`` beyond this many seconds fails the file at once."""

_MAX_FILE_BYTES = 1 << 40
_WORTHWHILE = 1 << 20  # a try that brought this much was not in vain
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Note:
    """What a partial file is part of, kept beside it.

    Attributes
    ----------
    url : str
        As asked for.
    validator : str
        A strong ETag or a Last-Modified date, for ``If-Range``; empty when the server gave neither.
    """

    url: str
    validator: str


class Transfer:
    """Fetches files into a folder; shared by all threads.

    Parameters
    ----------
    folder : Path
        Where files go, under their names.
    client : Client
        Makes the requests.
    throttle : Throttle
        Also the client's.
    tries : int
        In vain for one file, after which it has failed.
    first_wait : float
        Seconds of the first back-off.
    """

    def __init__(
        self, folder: Path, client: Client, throttle: Throttle, tries: int = 5, first_wait: float = 0.5
    ) -> None:
        self._folder = folder
        self._client = client
        self._throttle = throttle
        self._tries = tries
        self._first_wait = first_wait

    def fetch(self, wanted: Wanted) -> Fetched:
        """Fetch one file, or accept one that lies there already.

        Returns
        -------
        Fetched
            Every mishap of the network or the content is an outcome in it.

        Raises
        ------
        StorageError
            The disk refuses; so would it for all other files.
        Stopped
            The run is ending; what there is of the file waits for the next one.
        """
        path = self._folder / wanted.name
        if path.is_file():
            with suppress(RejectedInput):  # of an unknown origin: only the whole of it is proof
                check_file(path, wanted, whole=True)
                return _written(path, wanted)
        vain = doubts = 0
        furthest = self._partial_bytes(path)
        while True:
            try:
                self._try(path, wanted)
                return _written(path, wanted)
            except RejectedInput as error:
                if error.reason in ("wrong_hash", "not_an_image") and not doubts:
                    doubts, trouble = 1, Mishap(error.reason, error.detail)  # once may be the way here
                else:
                    return Fetched(wanted.id, "rejected", error.reason, error.detail, url=wanted.url, retrieved=_now())
            except Mishap as error:
                trouble = error
            reached = self._partial_bytes(path)
            vain = 1 if reached >= furthest + _WORTHWHILE else vain + 1
            furthest = max(furthest, reached)
            if vain >= self._tries or (trouble.wait or 0) > LONGEST_WAIT:
                detail = f"{trouble.detail}, after {vain} {'try' if vain == 1 else 'tries'}"
                return Fetched(wanted.id, "failed", trouble.reason, detail, url=wanted.url, retrieved=_now())
            self._throttle.pause(max(trouble.wait or 0.0, back_off(wanted.id, vain, self._first_wait)))

    def _try(self, path: Path, wanted: Wanted) -> None:
        note_path = path.with_name(f"{path.name}.part.json")
        with partial_file(path) as part:
            note = _read_note(note_path)
            headers = _range_headers(part.size, note) if part.size and _continuable(note, wanted) else {}
            continued = bool(headers)
            if not continued:
                part.restart()
            try:
                with self._client.get(wanted.url, headers) as answer:
                    self._require_success(answer, part)
                    if answer.status == 206:
                        total = _continue_range(answer, part, note)
                    else:
                        continued, total = False, answer.length
                        part.restart()
                        _write_note(note_path, Note(wanted.url, _validator(answer.headers)))
                    _check_length(answer, wanted, total)
                    self._receive(answer, part, wanted, total)
                part.flush()
                check_file(part.path, wanted, whole=continued or total is None)
            except BaseException as error:
                useless = part.size == 0 or not _continuable(_read_note(note_path), wanted)
                if isinstance(error, RejectedInput) or useless:
                    part.discard()
                    note_path.unlink(missing_ok=True)
                raise
            part.commit()
            note_path.unlink(missing_ok=True)

    def _require_success(self, answer: Answer, part: PartialFile) -> None:
        status, host = answer.status, host_of(answer.url)
        encoding = answer.headers.get("Content-Encoding", "identity").lower()
        if status in (200, 206) and encoding in ("identity", ""):
            return
        if status in (200, 206):
            raise RejectedInput("encoded", f"{host} sends it with Content-Encoding {encoding}, which was not asked for")
        if status in (404, 410):
            raise RejectedInput("gone", f"{host} answers {status}")
        if status in (401, 403, 451):
            raise RejectedInput("forbidden", f"{host} answers {status}")
        if status == 416:  # what is there is not part of what the server has
            part.restart()
            raise Mishap("http_416", f"{host} has no such range of it")
        if status in (408, 425, 429) or status >= 500:
            wait = retry_after(answer.headers)
            if wait is not None and wait <= LONGEST_WAIT:
                self._throttle.hold(host, wait)
            asked = f" and asks to wait {wait:,.0f} s" if wait is not None else ""
            raise Mishap(f"http_{status}", f"{host} answers {status}{asked}", wait)
        raise RejectedInput(f"http_{status}", f"{host} answers {status}")

    def _receive(self, answer: Answer, part: PartialFile, wanted: Wanted, total: int | None) -> None:
        limit = total if total is not None else wanted.bytes or _limit(wanted)
        for piece in answer.body():
            part.write(piece)
            if part.size > limit:
                raise RejectedInput("wrong_size", f"the answer goes on beyond {limit:,} bytes")
            self._throttle.after_bytes(len(piece))
        whole = wanted.bytes if total is None else total
        if part.size < whole:
            raise Mishap("truncated", f"the answer ended after {part.size:,} of {whole:,} bytes")

    @staticmethod
    def _partial_bytes(path: Path) -> int:
        try:
            return path.with_name(f"{path.name}.part").stat().st_size
        except OSError:
            return 0


def _written(path: Path, wanted: Wanted) -> Fetched:
    status = path.stat()
    when = datetime.fromtimestamp(status.st_mtime, UTC)
    return Fetched(
        wanted.id, "written", bytes=status.st_size, sha256=sha256_file(path), url=wanted.url, retrieved=_stamp(when)
    )


def _check_length(answer: Answer, wanted: Wanted, total: int | None) -> None:
    if total is None:
        return
    expected = wanted.bytes or total
    if total != expected and announces_placeholder(answer.headers.get("Content-Type", ""), total) and wanted.image:
        raise RejectedInput("dead_photo", "the answer is the placeholder of a photograph that is gone")
    if total != expected:
        raise RejectedInput("wrong_size", f"{host_of(answer.url)} has {total:,} bytes instead of {expected:,}")
    if not wanted.bytes and total > _limit(wanted):
        raise RejectedInput("wrong_size", f"{total:,} bytes are more than the limit of {_limit(wanted):,}")


def _limit(wanted: Wanted) -> int:
    return MAX_IMAGE_BYTES if wanted.image else _MAX_FILE_BYTES


def _continuable(note: Note | None, wanted: Wanted) -> bool:
    """Tell whether the end of another answer would prove to fit: by the server's word, or by the hash of the whole."""
    return note is not None and note.url == wanted.url and bool(note.validator or wanted.md5 or wanted.sha256)


def _range_headers(size: int, note: Note | None) -> dict[str, str]:
    headers = {"Range": f"bytes={size}-"}
    if note and note.validator:
        headers["If-Range"] = note.validator
    return headers


def _continue_range(answer: Answer, part: PartialFile, note: Note | None) -> int | None:
    """Return the whole length of what a 206 continues; start anew where it continues something else."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    now = _validator(answer.headers)
    other = note is not None and now and note.validator and now != note.validator
    if match is None or int(match[1]) != part.size or other:
        part.restart()
        raise Mishap("wrong_range", f"{host_of(answer.url)} continues it at another place or in another version")
    if match[3] != "*":
        return int(match[3])
    return None if answer.length is None else part.size + answer.length


def _validator(headers: Mapping[str, str]) -> str:
    etag = headers.get("ETag", "").strip()
    return etag if etag.startswith('"') else headers.get("Last-Modified", "").strip()


def _read_note(path: Path) -> Note | None:
    try:
        return Note(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _write_note(path: Path, note: Note) -> None:
    # neither atomic nor synced: a torn note only means starting anew
    with suppress(OSError):
        path.write_text(json.dumps({"url": note.url, "validator": note.validator}))


def _now() -> str:
    return _stamp(datetime.now(UTC))


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
