"""The ``mattingdata`` command: verbs, and what an error looks like to its user."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from matting_data.errors import MattingDataError, nearest, wants_memory
from matting_data.foreign_text import json_text
from matting_data.version import __version__

from .groups import VerbGroup
from .logs import ENDS
from .terminal import say, say_traceback

# what one wants to do → the verbs for it, each with a phrase that fits a line of 80 columns
_SECTIONS = {
    "Build": {
        "build": "Build the dataset of a recipe, or continue one.",
        "plan": "Say what a build would make: counts, disk and time.",
        "filter": "Judge the backgrounds alone: kept or not, and why.",
        "foregrounds": "Check the people of a recipe, or render synthetic ones.",
        "fetch": "Download OpenImages photographs and metadata.",
        "materialize": "Make composites of a store of layers.",
    },
    "Look": {
        "status": "Show how far a build is: rate, time left, failures.",
        "preview": "Draw a contact sheet: image, alpha and trimap.",
        "stats": "Count samples by split and subset; plot sizes and coverage.",
        "report": "Write a first look as one HTML file.",
        "browse": "Open composites, backgrounds or predictions in FiftyOne.",
        "audit": "Estimate how many people slipped through the filter.",
    },
    "Train": {
        "train": "Train SAFE-Net, or one of its ablations.",
        "eval": "Score mattes, or a network, with 95 % intervals.",
        "predict": "Predict mattes with a network or a classical method.",
    },
    "Publish": {
        "card": "Write the dataset card and Croissant metadata anew.",
        "export": "Write another tool's layout, or a network as ONNX.",
    },
    "Keep": {
        "verify": "Check every hash and sample; remake some composites.",
        "repair": "Restore damaged and missing files to the same bytes.",
    },
}

_CONTINUING = (["build"], ["plan"], ["filter"], ["fetch"], ["predict"], ["materialize"], ["repair"])


@click.group(
    cls=VerbGroup,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mattingdata")
def cli() -> None:
    """Build human-matting datasets: people on photographs that contain nobody.

    Every verb takes -v, -vv and --log-file FILE.
    """


def main() -> None:
    """Run the command; exit 0 done, 1 failures or damage, 2 unusable input, 70 an error of our own, 130 interrupted."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(0)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):  # click compares the dashes too
            word = error.option_name.strip("-")
            alike = [name for name in error.possibilities or () if nearest(word, [name.strip("-")])]
            error = click.NoSuchOption(error.option_name, possibilities=alike, ctx=error.ctx)
        shown = io.StringIO()
        error.show(shown)
        say(*shown.getvalue().expandtabs(4).splitlines(), err=True)
        sys.exit(2)
    except MattingDataError as error:
        say(f"mattingdata: {error}", err=True)
        ENDS.error("%s", error, exc_info=error.__cause__)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        say("", f"mattingdata: interrupted{_continues()}", err=True)
        ENDS.error("interrupted")
        sys.exit(130)
    except Exception as error:
        if wants_memory(error):
            sentence = "not enough memory: run the same command again with fewer --workers, or raise its limit"
            say(f"mattingdata: {sentence} ({type(error).__name__}: {error})".splitlines()[0], err=True)
            ENDS.error(sentence)
            sys.exit(1)
        say_traceback()
        say(
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
    click.echo(json_text(value))


def echo_notes(notes: Sequence[str]) -> None:
    """Print what a user should know of the evidence behind a result, a line each."""
    say(*(f"note: {note}" for note in notes))


def echo_result(as_json: bool, document: Any, lines: Iterable[str]) -> None:
    """Print a command's result: one JSON document for machines, else lines for people."""
    if as_json:
        echo_json(document)
    else:
        say(*lines)
