"""One file from its address to its name: tries, continuing where the last one broke off, and the checks between."""

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
from matting_data.storage.atomic import PARTIAL, PartialFile, partial_file, sha256_file
from matting_data.storage.retries import back_off

MAX_IMAGE_BYTES = 1 << 30
"""Limit on an image whose length nobody knows beforehand; far above any photograph."""

LONGEST_WAIT = 300.0
"""A ``Retry-After`` beyond this many seconds fails the file at once."""

_MAX_FILE_BYTES = 1 << 40
_WORTHWHILE = 1 << 20  # a try that brought this much was not in vain
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_REFUSALS = {404: "gone", 410: "gone", 401: "forbidden", 403: "forbidden", 451: "forbidden"}
_PASSING = (408, 425, 429)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def download(wanted: Wanted, folder: Path, client: Client, tries: int = 5, first_wait: float = 0.5) -> Fetched:
    """Fetch one file, or accept one that lies there already.

    Parameters
    ----------
    wanted : Wanted
    folder : Path
        Where it goes, under its name.
    client : Client
        Makes the requests.
    tries : int
        In vain, after which the file has failed.
    first_wait : float
        Seconds of the first back-off.

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
    path = folder / wanted.name
    if path.is_file():
        with suppress(RejectedInput):  # of an unknown origin: only the whole of it is proof
            check_file(path, wanted, whole=True)
            return _written(path, wanted)
    vain, doubted, furthest = 0, False, _partial_bytes(path)
    while True:
        try:
            _try(path, wanted, client)
            return _written(path, wanted)
        except RejectedInput as error:
            if doubted or error.reason not in ("wrong_hash", "not_an_image"):
                return _ended(wanted, "rejected", error.reason, error.detail)
            doubted, trouble = True, Mishap(error.reason, error.detail)  # its bytes may have changed on their way
        except Mishap as error:
            trouble = error
        reached = _partial_bytes(path)
        vain = 1 if reached >= furthest + _WORTHWHILE else vain + 1
        furthest = max(furthest, reached)
        if vain >= tries or trouble.wait > LONGEST_WAIT:
            detail = f"{trouble.detail}, after {vain} {'try' if vain == 1 else 'tries'}"
            return _ended(wanted, "failed", trouble.reason, detail)
        client.throttle.pause(max(trouble.wait, back_off(wanted.id, vain, first_wait)))


def _try(path: Path, wanted: Wanted, client: Client) -> None:
    note_path = path.with_name(f"{path.name}{PARTIAL}.json")
    note = _read_note(note_path)
    with partial_file(path) as part:
        headers = {}
        if part.size and _continuable(note, wanted):
            headers = {"Range": f"bytes={part.size}-", "If-Range": note["validator"]}
        else:
            part.restart()
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
            check_file(part.path, wanted, whole=answer.status == 206 or length is None)
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
    elif status == 416:  # what is there is not part of what the server has
        part.restart()
        raise Mishap("http_416", f"{host} has no such range of it")
    elif status in _PASSING or status >= 500:
        wait = retry_after(answer.headers)
        if wait is not None and wait <= LONGEST_WAIT:
            client.throttle.hold(host, wait)
        asked = f" and asks to wait {wait:,.0f} s" if wait is not None else ""
        raise Mishap(f"http_{status}", f"{host} answers {status}{asked}", wait or 0.0)
    else:
        raise RejectedInput(_REFUSALS.get(status, f"http_{status}"), f"{host} answers {status}")


def _continued_length(answer: Response, part: PartialFile, note: dict[str, str]) -> int | None:
    """Read from a 206 the length of the whole that it continues; start anew where it continues something else."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    now = _validator(answer.headers)
    if match is None or int(match[1]) != part.size or (now and note["validator"] not in ("", now)):
        part.restart()
        raise Mishap("wrong_range", f"{host_of(answer.url)} continues it at another place or in another version")
    if match[3] != "*":
        return int(match[3])
    return None if answer.length_remaining is None else part.size + answer.length_remaining


def _receive(answer: Response, part: PartialFile, wanted: Wanted, length: int | None, client: Client) -> None:
    """Append the body to `part`, as much of it as there may be: `length` bytes where the server tells it."""
    most = wanted.bytes or (MAX_IMAGE_BYTES if wanted.image else _MAX_FILE_BYTES)
    placeholder = wanted.image and length == PLACEHOLDER_BYTES  # a look at its content will tell
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
    try:
        return path.with_name(path.name + PARTIAL).stat().st_size
    except OSError:
        return 0


def _written(path: Path, wanted: Wanted) -> Fetched:
    status = path.stat()
    when = datetime.fromtimestamp(status.st_mtime, UTC).strftime(_TIME)
    return Fetched(wanted.id, "written", "", "", status.st_size, sha256_file(path), wanted.url, when)


def _ended(wanted: Wanted, outcome: str, reason: str, detail: str) -> Fetched:
    when = datetime.now(UTC).strftime(_TIME)
    return Fetched(wanted.id, outcome, reason, detail, url=wanted.url, retrieved=when)


def _continuable(note: dict[str, str], wanted: Wanted) -> bool:
    """Tell whether the end of another answer would prove to fit: by the server's word, or by the hash of the whole."""
    return note["url"] == wanted.url and bool(note["validator"] or wanted.md5 or wanted.sha256)


def _validator(headers: Mapping[str, str]) -> str:
    etag = headers.get("ETag", "").strip()
    return etag if etag.startswith('"') else headers.get("Last-Modified", "").strip()


def _read_note(path: Path) -> dict[str, str]:
    """Read what a partial file is part of: its ``url`` as asked for, and what the server said to tell its version."""
    try:
        note = json.loads(path.read_bytes())
        return {"url": str(note["url"]), "validator": str(note["validator"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {"url": "", "validator": ""}
