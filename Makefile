# Everything is set up by the target that needs it: `make demo`, `make test`.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt docs bench truth torture fuzz mutants clean

help: ## show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(RUN) $@

demo: $(RUN) ## the tour: 24 January recorded, judged, replayed, asked what-if
	$(BIN)/runledger demo

test: $(DEV) ## all tests; those that need a system package say which one when they skip
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(DEV) ## format, lint, types, import contracts and circles, dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m vulture

fmt: $(DEV) ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DEV) ## write the reference pages from the code they describe
	$(BIN)/python docs/generate.py

bench: $(DEV) ## all benchmarks: our figure, the yardstick's, the ratio
	$(BIN)/python -m benchmarks $(ARGS)

truth: $(DEV) ## worlds whose truth is known: who is taken out, when, at what price
	$(BIN)/python -m benchmarks.truth $(ARGS)

torture: $(DEV) ## kill -9, power loss, full disks, tampers, a pooler: the long version
	$(BIN)/python -m tests.torture $(ARGS)

fuzz: $(DEV) ## a million odd inputs to everything that reads: the long version
	$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(DEV) ## faults put into a sample of the rules: how many the tests notice
	$(BIN)/python -m tests.mutants $(ARGS)

clean: ## remove what the targets made
	rm -rf $(VENV) build dist *.egg-info
