# The two commands of the README; everything lives in .venv and out/, both can be deleted at any time.
PYTHON ?= python3
VENV := .venv
# test-torch adds PyTorch (where no CPU build is at hand, gigabytes); without it, the tests that need it are skipped
TEST_EXTRAS ?= test
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: build test lint clean

build: $(VENV)/core
	$(VENV)/bin/mattingdata build --out out/sample
	$(VENV)/bin/mattingdata preview out/sample --out out/sample.png

test: $(VENV)/test lint
	$(VENV)/bin/python -m pytest

lint: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/core
	$(PIP) --editable '.[$(TEST_EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
