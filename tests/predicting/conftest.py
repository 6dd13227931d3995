"""The command and a small dataset as fixtures."""

from tests.support.commands import command
from tests.support.one_thread import one_thread
from tests.support.training_runs import dataset

__all__ = ["command", "dataset", "one_thread"]
