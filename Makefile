# Everything goes into .venv, at the versions of constraints.txt; nothing but Python >= 3.11 and make is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e

.DEFAULT_GOAL := help
.PHONY: help demo test lint types walls docs check bench clean

help:  ## these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.core  ## fit a model of scikit-learn's digits and show what it learned
	$(BIN)/lowerbound fit digits

test: $(VENV)/.test  ## every test; those of the explorer's page where Chromium is installed
	$(BIN)/python -m pytest

lint: $(VENV)/.lint  ## style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.lint  ## types
	$(BIN)/pyright --pythonpath $(BIN)/python

walls: $(VENV)/.lint  ## which package may import which
	$(BIN)/lint-imports

docs: $(VENV)/.docs  ## the documentation, into site/
	$(BIN)/mkdocs build --strict

check: test lint types walls docs  ## all of these

bench: $(VENV)/.core  ## every race against other libraries, which takes hours; their tables into docs/
	$(BIN)/python -m benchmarks.race --fresh $(RACES)
	$(BIN)/python -m benchmarks.hot_paths
	$(BIN)/python -m benchmarks.growth

clean:  ## remove the environment and everything that was built; runs/ stays
	rm -rf $(VENV) site build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp for each group of dependencies, so that a second call installs nothing.
$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) '.[$*]'
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  version=$$($(PYTHON) --version 2>&1) || version='not there'; \
	  echo "lowerbound needs Python 3.11 or newer, and $(PYTHON) is $$version: name another one, as in" \
	    "make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
