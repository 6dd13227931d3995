"""The ``mattingdata`` command: verbs, and what an error looks like to its user."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from matting_data.errors import MattingDataError
from matting_data.version import __version__

from .logs import ENDS, with_log_options

_VERBS = (
    "audit",
    "browse",
    "build",
    "card",
    "eval",
    "export",
    "fetch",
    "filter",
    "foregrounds",
    "materialize",
    "plan",
    "predict",
    "preview",
    "repair",
    "report",
    "stats",
    "status",
    "train",
    "verify",
)

_CONTINUING = (["build"], ["plan"], ["filter"], ["fetch"], ["predict"], ["materialize"], ["repair"])


class _LazyGroup(click.Group):
    """Imports a verb's module only when that verb is used, so that ``--help`` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        return with_log_options(command) if isinstance(command, click.Command) else None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mattingdata")
def cli() -> None:
    """Build human-matting datasets: people on photographs that contain nobody."""


def main() -> None:
    """Run the command; exit 0 done, 1 failures or damage, 2 unusable input, 70 an error of our own, 130 interrupted."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MattingDataError as error:
        click.echo(f"mattingdata: {error}", err=True)
        ENDS.error("%s", error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"\nmattingdata: interrupted{_continues()}", err=True)
        ENDS.error("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        click.echo(
            "mattingdata: this is an error of mattingdata, not of your input: please report it with the lines above"
            f"{_continues()}",
            err=True,
        )
        ENDS.critical("an error of mattingdata", exc_info=True)
        sys.exit(70)


def _continues() -> str:
    return "; the same command continues where it stopped" if sys.argv[1:2] in _CONTINUING else ""


def echo_json(value: Any) -> None:
    """Print a value as one JSON document."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


def echo_notes(notes: Sequence[str]) -> None:
    """Print what a user should know of the evidence behind a result, a line each."""
    for note in notes:
        click.echo(f"note: {note}")
