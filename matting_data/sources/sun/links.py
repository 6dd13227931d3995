"""Links inside a tar: which of its files each name leads to. Names only; nothing is read or unpacked."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

_STEPS = 40
"""Links followed one after another, as Linux does."""

_MOST = 1_000_000
"""Names that links may add: folders that link to each other twice at every level would double them without end."""


class CircleError(Exception):
    """A link leads back to itself or to a folder that holds it, or links multiply; the argument is its name."""


def follow_links(files: Iterable[str], links: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Resolve links to files and to folders.

    Parameters
    ----------
    files : iterable of str
        Names of regular files in the tar.
    links : mapping
        Name of a link → what it leads to, from the root of the tar.

    Returns
    -------
    (dict, dict)
        Name made by a link → name of the file it stands for; and name of a link → target, where the tar holds none.

    Raises
    ------
    CircleError
    """
    if not links:
        return {}, {}
    resolver = _Resolver(files, links)
    found: dict[str, str] = {}
    for name in resolver.links:
        for made, file in resolver.expand(name, name, ()):
            found[made] = file
            if len(found) > _MOST:
                raise CircleError(name)
    return found, resolver.lost


class _Resolver:
    def __init__(self, files: Iterable[str], links: Mapping[str, str]) -> None:
        self._files = {posixpath.normpath(name): name for name in files}
        self.links = {posixpath.normpath(name): posixpath.normpath(target) for name, target in links.items()}
        self._names = sorted([*self._files, *self.links])
        self.lost: dict[str, str] = {}
        self._calls = 0

    def expand(self, name: str, link: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield (name, file) for a link that is seen as `name`, below the folders `above` that links led into."""
        self._calls += 1
        if self._calls > _MOST:
            raise CircleError(link)
        target = self._final(link)
        if target in self._files:
            yield name, self._files[target]
            return
        below = list(self._below(target))
        if not below:
            self.lost[name] = self.links[link]
            return
        above = (*above, posixpath.dirname(link))
        if any(folder == target or folder.startswith(f"{target}/") for folder in above):
            raise CircleError(link)
        for each in below:
            made = f"{name}{each[len(target) :]}"
            if each in self._files:
                yield made, self._files[each]
            else:
                yield from self.expand(made, each, (*above, target))

    def _final(self, link: str) -> str:
        """Follow a link, and links to folders on its way, to what is none."""
        path = link
        for _ in range(_STEPS):
            parts = path.split("/")
            prefixes = ("/".join(parts[: end + 1]) for end in range(len(parts)))
            first = next((prefix for prefix in prefixes if prefix in self.links), None)
            if first is None:
                return path
            path = posixpath.normpath(self.links[first] + path[len(first) :])
        raise CircleError(link)

    def _below(self, folder: str) -> Iterator[str]:
        start = "" if folder == "." else f"{folder}/"
        for name in self._names[bisect_left(self._names, start) :]:
            if not name.startswith(start):
                return
            yield name
