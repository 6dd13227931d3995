"""The packages: those of ``matting_data``, and two that lie beside it; everything else stands in ``setup.cfg``."""

from setuptools import find_packages, setup

# setup.cfg maps the last two to the folders `cli` and `manifests`; its `find:` takes no further names
setup(
    packages=[*find_packages(include=["matting_data", "matting_data.*"]), "matting_data.cli", "matting_data.manifests"]
)
