"""The command as a fixture."""

from tests.support.commands import command

__all__ = ["command"]
