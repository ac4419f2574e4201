# Two commands do all the set-up: `make demo` and `make test`. Both are repeatable, and fast the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test fuzz lint format bench docs clean

demo: $(VENV)/.examples
	$(BIN)/python examples/train.py scheduler=cosine_warm_restarts

test: $(VENV)/.dev
	$(BIN)/python -m pytest

# Random runs, histories, damage and kills from a fresh seed, against the oracle of tests/oracle.py.
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz.py --seconds $(or $(SECONDS_OF_FUZZ),600)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.run

docs: $(VENV)/.dev
	$(BIN)/python docs/pictures.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.examples: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[examples]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.examples

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
