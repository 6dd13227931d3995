"""Download one file: try again, continue where the last try broke off, check the content, then rename it into place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from matting_data.errors import RejectedInput
from matting_data.fetching.client import Client, Mishap, Response, host_of, retry_after
from matting_data.fetching.content_checks import PLACEHOLDER_BYTES, check_file
from matting_data.fetching.fetch_ledger import Fetched
from matting_data.fetching.wanted import Wanted
from matting_data.imaging.limits import MAX_PIXELS
from matting_data.storage.atomic import PARTIAL, PartialFile, partial_file, sha256_file
from matting_data.storage.retries import TRY_LATER, back_off

MAX_IMAGE_BYTES = 1 << 30
"""Limit on an image whose length nobody knows beforehand; far above any photograph."""

LONGEST_WAIT = 300.0
"""A ``Retry-After`` beyond this many seconds fails the file at once."""

_MAX_FILE_BYTES = 1 << 40
_WORTHWHILE = 1 << 20  # a try that brought this much was not in vain
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_REFUSALS = {404: "gone", 410: "gone", 401: "forbidden", 403: "forbidden", 451: "forbidden"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def download(
    wanted: Wanted,
    folder: Path,
    client: Client,
    tries: int = 5,
    first_wait: float = 0.5,
    max_pixels: int = MAX_PIXELS,
) -> Fetched:
    """Fetch one file, or accept one that lies there already.

    Parameters
    ----------
    wanted : Wanted
    folder : Path
        Where it goes, under its name.
    client : Client
        Makes the requests.
    tries : int
        How many may bring nothing before the file has failed.
    first_wait : float
        Seconds of the first back-off.
    max_pixels : int
        Images whose header claims more are not kept.

    Returns
    -------
    Fetched
        Also tells every failure of the network or the content.

    Raises
    ------
    StorageError
        The disk refuses; so would it for all other files.
    Stopped
        The run is ending; the next one continues the partial file.
    """
    path = folder / wanted.name
    if path.is_file():
        with suppress(RejectedInput):  # of an unknown origin: only the whole of it is proof
            check_file(path, wanted, True, max_pixels)
            return _written(path, wanted)
    vain, doubted, furthest = 0, False, _partial_bytes(path)
    while True:
        try:
            _try(path, wanted, client, max_pixels)
            return _written(path, wanted)
        except RejectedInput as error:
            if doubted or error.reason not in ("wrong_hash", "not_an_image"):
                return _ended(wanted, "rejected", error.reason, error.detail)
            doubted = True  # bytes may be damaged on their way: try once more
            trouble = Mishap(error.reason, error.detail)
        except Mishap as error:
            trouble = error
        reached = _partial_bytes(path)
        vain = 1 if reached >= furthest + _WORTHWHILE else vain + 1
        furthest = max(furthest, reached)
        if vain >= tries or trouble.wait > LONGEST_WAIT:
            detail = f"{trouble.detail}, after {vain} {'try' if vain == 1 else 'tries'}"
            return _ended(wanted, "failed", trouble.reason, detail)
        client.throttle.pause(max(trouble.wait, back_off(wanted.id, vain, first_wait)))


def _try(path: Path, wanted: Wanted, client: Client, max_pixels: int) -> None:
    note_path = path.with_name(f"{path.name}{PARTIAL}.json")
    note = _read_note(note_path)
    with partial_file(path) as part:
        if not _continuable(note, wanted):
            part.restart()
        headers = {"Range": f"bytes={part.size}-", "If-Range": note["validator"]} if part.size else {}
        try:
            with client.get(wanted.url, {name: value for name, value in headers.items() if value}) as answer:
                _require_success(answer, part, client)
                if answer.status == 206:
                    length = _continued_length(answer, part, note)
                else:
                    length = answer.length_remaining
                    part.restart()
                    note = {"url": wanted.url, "validator": _validator(answer.headers)}
                    with suppress(OSError):  # neither atomic nor synced: a torn note only means starting anew
                        note_path.write_text(json.dumps(note))
                _receive(answer, part, wanted, length, client)
            part.flush()
            check_file(part.path, wanted, answer.status == 206 or length is None, max_pixels)
        except BaseException as error:
            if isinstance(error, RejectedInput) or part.size == 0 or not _continuable(note, wanted):
                part.discard()
                note_path.unlink(missing_ok=True)
            raise
        part.commit()
        note_path.unlink(missing_ok=True)


def _require_success(answer: Response, part: PartialFile, client: Client) -> None:
    status, host = answer.status, host_of(answer.url)
    if status in (200, 206):
        encoding = answer.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", ""):
            raise RejectedInput("encoded", f"{host} sends it with Content-Encoding {encoding}, which was not asked for")
    elif status == 416:  # the partial file is longer than the file of the server
        part.restart()
        raise Mishap("http_416", f"{host} does not have the rest of the file that was asked for")
    elif status in TRY_LATER or status >= 500:
        wait = retry_after(answer.headers)
        if wait is not None and wait <= LONGEST_WAIT:
            client.throttle.hold(host, wait)
        asked = f" and asks to wait {wait:,.0f} s" if wait is not None else ""
        raise Mishap(f"http_{status}", f"{host} answers {status}{asked}", wait or 0.0)
    else:
        raise RejectedInput(_REFUSALS.get(status, f"http_{status}"), f"{host} answers {status}")


def _continued_length(answer: Response, part: PartialFile, note: dict[str, str]) -> int | None:
    """Read the length of the whole file from a 206; start anew if it continues another range or version."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    now = _validator(answer.headers)
    if match is None or int(match[1]) != part.size or (now and note["validator"] not in ("", now)):
        part.restart()
        raise Mishap("wrong_range", f"{host_of(answer.url)} sent another range than asked for, or of another version")
    if match[3] != "*":
        return int(match[3])
    return None if answer.length_remaining is None else part.size + answer.length_remaining


def _receive(answer: Response, part: PartialFile, wanted: Wanted, length: int | None, client: Client) -> None:
    """Append the body to `part`; the whole file may have `length` bytes, where the server tells it."""
    most = wanted.bytes or (MAX_IMAGE_BYTES if wanted.image else _MAX_FILE_BYTES)
    placeholder = wanted.image and length == PLACEHOLDER_BYTES  # its content decides
    if length is not None and not wanted.bytes <= length <= most and not placeholder:
        bound = "" if wanted.bytes else "at most "
        raise RejectedInput("wrong_size", f"{host_of(answer.url)} has {length:,} bytes instead of {bound}{most:,}")
    limit, whole = (most, wanted.bytes) if length is None else (length, length)
    for piece in client.body(answer):
        part.write(piece)
        if part.size > limit:
            raise RejectedInput("wrong_size", f"the answer goes on beyond {limit:,} bytes")
    if part.size < whole:
        raise Mishap("truncated", f"the answer ended after {part.size:,} of {whole:,} bytes")


def _partial_bytes(path: Path) -> int:
    partial = path.with_name(path.name + PARTIAL)
    return partial.stat().st_size if partial.exists() else 0


def _written(path: Path, wanted: Wanted) -> Fetched:
    status = path.stat()
    when = datetime.fromtimestamp(status.st_mtime, UTC).strftime(_TIME)
    return Fetched(wanted.id, "written", "", "", status.st_size, sha256_file(path), wanted.url, when)


def _ended(wanted: Wanted, outcome: str, reason: str, detail: str) -> Fetched:
    when = datetime.now(UTC).strftime(_TIME)
    return Fetched(wanted.id, outcome, reason, detail, url=wanted.url, retrieved=when)


def _continuable(note: dict[str, str], wanted: Wanted) -> bool:
    """Tell whether the rest can be checked to fit: the server names the version, or the hash of the whole is known."""
    return note["url"] == wanted.url and bool(note["validator"] or wanted.md5 or wanted.sha256)


def _validator(headers: Mapping[str, str]) -> str:
    etag = headers.get("ETag", "").strip()
    return etag if etag.startswith('"') else headers.get("Last-Modified", "").strip()


def _read_note(path: Path) -> dict[str, str]:
    """Read the note beside a partial file: its ``url`` and its ``validator``, a strong ETag or a date, for If-Range."""
    try:
        note = json.loads(path.read_bytes())
        return {"url": str(note["url"]), "validator": str(note["validator"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {"url": "", "validator": ""}
