"""One visit of a sample in training, and the randomness that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from matting_data.readers.store import Composite
from matting_data.seeds import generator


@dataclass(frozen=True)
class Visit:
    """Who is visited when: all that a transform's random numbers may depend on.

    Attributes
    ----------
    seed, epoch : int
        Of the run.
    key : str
        Of the sample.
    """

    seed: int
    epoch: int
    key: str

    def generator(self, step: str) -> np.random.Generator:
        """Seed the random generator of one step; what that step draws does not change the numbers of other steps."""
        return generator("visit", int(self.seed), int(self.epoch), self.key, step)


Transform = Callable[[Composite, Visit], Composite]
"""What is done with a sample; one with an attribute ``parts`` tells what has to be decoded for it."""
