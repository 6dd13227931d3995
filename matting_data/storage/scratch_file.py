"""A file of the local disk for what travels to or from an object store."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from matting_data.storage.atomic import storage_errors


@contextmanager
def scratch_file() -> Iterator[tuple[BinaryIO, Path]]:
    """Open a file in the folder for temporary files, and give a path under which it can be opened again.

    On Linux the file has no name of its own and vanishes with this process, however that ends. Elsewhere it vanishes
    when the block ends, but a process that is killed leaves it behind.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.gettempdir())
        with storage_errors(folder):
            if sys.platform == "linux":
                stream: BinaryIO = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                path = Path(f"/proc/self/fd/{stream.fileno()}")
            else:
                path = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder))) / "file"
                stream = stack.enter_context(open(path, "wb"))
        yield stream, path
