"""Groups of commands: a wrong name gets the nearest right one, and verbs are imported when they are used."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from typing import Any

import click

from matting_data.errors import nearest
from matting_data.running.memory_at_start import require_memory

from .logs import OPTIONS, with_log_options


class SuggestingGroup(click.Group):
    """A group that answers a wrong command with the name that was probably meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what comes before a verb; an option that only verbs take is answered with where it goes."""
        verb = next((word for word in args if word in self.list_commands(ctx)), "VERB")
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in OPTIONS:
                raise
            name = error.option_name
            ctx.fail(f"{name} goes after the verb: {ctx.command_path} {verb} {name}")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with; a usage error where there is none."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}{nearest(args[0], self.list_commands(ctx)) or '.'}")
        return super().resolve_command(ctx, args)


class VerbGroup(SuggestingGroup):
    """A group that imports a verb's module only when that verb is used, so that ``--help`` answers at once.

    Parameters
    ----------
    sections : mapping
        Heading in the help → verb → its short help. The verb ``NAME`` is the function ``NAME`` of ``cli/NAME.py``.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.short_helps = {verb: text for verbs in sections.values() for verb, text in verbs.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs in the order of the help."""
        return list(self.short_helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb; None where `cmd_name` is not one."""
        if cmd_name not in self.short_helps:
            return None
        if not ctx.resilient_parsing:
            require_memory()
        command: click.Command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        command.short_help = self.short_helps[cmd_name]
        return with_log_options(command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb. Click takes every broken pipe for an output that nobody reads any more: others are errors."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if any(frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)):
                raise
            raise RuntimeError("a pipe broke that is not the output") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by section, without importing any."""
        width = max(map(len, self.short_helps))  # the same in all sections, so that their texts stand in one column
        for heading, verbs in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(verb.ljust(width), text) for verb, text in verbs.items()])
