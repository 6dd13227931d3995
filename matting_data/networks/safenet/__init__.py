"""SAFE-Net (semantics-adding flaw-erasing network), one module of the paper a file.

:mod:`~matting_data.networks.safenet.network` puts them together; ``docs/safenet.md`` says what the paper leaves open
and how it is decided here.
"""
