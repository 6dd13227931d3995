"""Training matting networks on built datasets; everything below needs the extra ``torch``."""

from matting_data.errors import MissingExtraError

try:
    import torch  # noqa: F401 - said here, once, for every module of this room
except ImportError:
    raise MissingExtraError("torch", "torch is") from None
