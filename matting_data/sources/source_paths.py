"""Where a source lies: a folder, or a URL with as much of a path's interface as finding and reading images takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from matting_data.recipes.recipe_file import LoadedRecipe, refuse_variables
from matting_data.storage import FileInfo, Storage, open_storage


@dataclass(frozen=True)
class RemotePath:
    """A folder or file below a URL.

    Attributes
    ----------
    root : Storage
        What lies below the URL that a recipe names.
    path : str
        POSIX path from there; empty for the URL itself.
    """

    root: Storage
    path: str = ""
    _listing: dict[str, FileInfo] = field(default_factory=dict, repr=False, compare=False)

    def __truediv__(self, path: str) -> RemotePath:
        return RemotePath(self.root, f"{self.path}/{path}".lstrip("/"), self._listing)

    def __str__(self) -> str:
        return self.root.label(self.path) if self.path else self.root.name

    def __getstate__(self) -> dict[str, Any]:
        # sizes and times are asked for where inputs are listed, not by workers
        return {"root": self.root, "path": self.path, "_listing": {}}

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    def tree(self) -> list[str]:
        """List all files below, as paths from here, and remember their sizes and times.

        Raises
        ------
        StorageError
            The store does not answer, or refuses.
        """
        found = self.root.files(self.path, deep=True)
        self._listing.clear()
        self._listing.update(found)
        return [name.removeprefix(f"{self.path}/") for name in found]

    def info(self) -> FileInfo:
        """Look up size and time, asking the store about unlisted files; MissingFileError where there is none."""
        return self._listing.get(self.path) or self.root.info(self.path)

    def read(self) -> bytes:
        """Read its bytes; MissingFileError where it is not there, StorageError where the store does not answer."""
        return self.root.read(self.path)


SourcePath = Path | RemotePath


def source_path(recipe: LoadedRecipe, path: str) -> SourcePath:
    """Open a folder that a recipe names as a source: of this machine, or a URL that fsspec knows.

    Raises
    ------
    UsageError
        No path can look like that, it names a variable, or the URL's protocol is unknown.
    MissingExtraError
        The package that reads it is not installed.
    """
    if "://" not in path:
        return recipe.resolve(path)
    refuse_variables(path)
    return _opened(path)


@lru_cache(maxsize=64)
def _opened(url: str) -> SourcePath:
    storage = open_storage(url)
    # file:// is a folder like any other
    return Path(storage.name).absolute() if storage.local else RemotePath(storage)
