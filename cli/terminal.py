"""What the command prints: the one place where text reaches a terminal, so that no name can steer it."""

from __future__ import annotations

import logging
import traceback
from types import TracebackType

import click

from matting_data.foreign_text import printable


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each as one: characters that a terminal obeys, line ends among them, are shown as escapes."""
    for line in lines:
        click.echo(printable(line), err=err)


def say_traceback() -> None:
    """Print the traceback of the error at hand."""
    say(*traceback.format_exc().splitlines(), err=True)


class PrintableFormatter(logging.Formatter):
    """Formats records of a log, for the terminal or a file, as :func:`say` does."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; what another handler made of its traceback is not taken over."""
        own = logging.makeLogRecord(record.__dict__)
        own.exc_text = None
        return super().format(own)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Format the line of a record."""
        return printable(super().formatMessage(record))

    def formatException(  # noqa: N802
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Format the traceback of a record."""
        return "\n".join(map(printable, super().formatException(ei).splitlines()))
