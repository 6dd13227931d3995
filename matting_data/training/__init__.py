"""Training matting networks on built datasets; everything below needs the extra ``torch``."""

import matting_data.networks  # noqa: F401 - which says what to install where torch is missing
