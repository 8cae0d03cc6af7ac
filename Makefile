# Each target does all of its own set-up: a machine with Python >= 3.11 and make is enough.

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The reference interpreter's matrix products are small. NumPy's BLAS loses more by waking a second thread for them than
# it gains, and on a busy machine it loses most of the time.
export OPENBLAS_NUM_THREADS ?= 1

# The first interpreter that starts and is new enough. Evaluated only when an environment has to be made.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

demo: $(VENV)/installed  ## train on real digits in both dialects, draw the results into ./duograph-demo
	$(BIN)/duograph demo

test: $(VENV)/installed  ## run the tests that need nothing but Duograph
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --ignore=tests/peers

lint: $(VENV)/installed-dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed  ## measure Duograph on this machine
	$(BIN)/python -m benchmarks

clean:  ## remove environments, caches and everything built
	rm -rf $(VENV) .venv-peers build dist duograph-demo .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an environment is brought up to date when pyproject.toml is newer than it.

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer on PATH; found none (or set PYTHON=/path/to/python)" >&2; exit 1; }
	$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test,plot]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
