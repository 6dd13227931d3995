"""One thread for every test of this folder."""

from tests.support.one_thread import one_thread

__all__ = ["one_thread"]
