"""What a command logs, and where to: ``-v`` and ``--log-file``, options of every verb."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from matting_data.errors import StorageError

from .terminal import PrintableFormatter

LOG = logging.getLogger("matting_data")
"""Above the loggers of all rooms, which are called like their packages."""

LOG.addHandler(logging.NullHandler())

ENDS = logging.getLogger("matting_data.cli")
"""How commands end; the terminal is told otherwise."""

OPTIONS = ("-v", "--verbose", "--log-file")
"""Of every verb."""

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def with_log_options(command: click.Command) -> click.Command:
    """Give a verb, or every verb of a group, the options ``-v`` and ``--log-file``."""
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            with_log_options(verb)
        return command
    if not any(parameter.name == "log_file" for parameter in command.params):
        command.params += [
            click.Option([*OPTIONS[:2]], count=True, expose_value=False, callback=_to_terminal,
                         help="Say what is being done; -vv says more."),
            click.Option([*OPTIONS[2:]], type=click.Path(path_type=Path, dir_okay=False), expose_value=False,
                         callback=_to_file, help="Append a log with times to this file."),
        ]  # fmt: skip
    return command


class _Terminal(logging.Handler):
    """Writes to standard error as it is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != ENDS.name:
            click.echo(self.format(record), err=True)  # printable by its formatter


def _to_terminal(ctx: click.Context, option: click.Parameter, verbosity: int) -> None:
    """Log to the terminal from a level on; progress, which only logs where there is no terminal, always."""
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    _remove(_Terminal)
    level = _LEVELS[min(verbosity, len(_LEVELS) - 1)]
    handler = _Terminal()
    handler.setFormatter(PrintableFormatter("mattingdata: %(message)s"))
    handler.addFilter(lambda record: record.levelno >= level or record.name == "matting_data.running")
    LOG.addHandler(handler)


def _to_file(ctx: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Log from level INFO on to a file."""
    _remove(logging.FileHandler)
    if path is None:
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write --log-file {path}: {error.strerror}; choose another file") from None
    handler.setLevel(logging.INFO)
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    LOG.addHandler(handler)


def _remove(kind: type[logging.Handler]) -> None:
    for handler in [each for each in LOG.handlers if isinstance(each, kind)]:
        LOG.removeHandler(handler)
        handler.close()
