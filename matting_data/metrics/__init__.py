"""Matting metrics: pure functions on arrays, exact to the definitions, without torch."""

from matting_data.metrics.absolute import mad, mse, sad
from matting_data.metrics.boundary import at_boundary, boundary
from matting_data.metrics.connectivity import connectivity
from matting_data.metrics.gradient import gradient
from matting_data.metrics.mattes import compose, unknown
from matting_data.metrics.sequence import dtssd

__all__ = ["at_boundary", "boundary", "compose", "connectivity", "dtssd", "gradient", "mad", "mse", "sad", "unknown"]
