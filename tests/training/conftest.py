"""A small dataset to train on, and one thread."""

from tests.support.datasets import damaged_copy, dataset
from tests.support.one_thread import one_thread

__all__ = ["damaged_copy", "dataset", "one_thread"]
