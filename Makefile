# Every target does its own set-up; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
FRONTENDS := tests/frontends/node_modules/.package-lock.json

# Where the recorded vectors and schemes lie; the tests look in the same place.
IRMAHUB_SHARED ?= $(abspath ../shared)
export IRMAHUB_SHARED

.DEFAULT_GOAL := help
.PHONY: help bootstrap system-packages format lint types test test-long fuzz mutants coverage features demo bench bench-sessions bench-events conformance compatibility diagrams lock migration wheel clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bootstrap: $(READY) ## Make the virtual environment with the locked dependencies

$(READY): requirements/dev.txt pyproject.toml hatch_build.py idemix/arith/kernel.c
	@tools/check-python "$(PYTHON)"
	@tools/check-compiler
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(FRONTENDS): tests/frontends/package-lock.json | system-packages
	cd tests/frontends && npm ci
	@touch $@

system-packages: ## Install Chromium, Redis, PostgreSQL and Node.js where they are missing
	@tools/system-packages

format: $(READY) ## Write the code in the common layout
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(READY) ## Check the code's layout and habits
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Check the types of the engine and the gateway
	$(BIN)/mypy

test: $(READY) system-packages $(FRONTENDS) ## Run every test that fits in half an hour
	$(BIN)/pytest -m "not long" $(ARGS)

test-long: $(READY) system-packages ## Run scale, full fuzz, mutation and load; writes docs/measurements
	$(BIN)/pytest -m long $(ARGS)

fuzz: $(READY) ## Read 100,000 mutants of proofs, commitments, keys, updates and requests (IRMAHUB_FUZZ_SEED repeats a run)
	$(BIN)/pytest -m long tests/idemix/test_fuzz.py $(ARGS)

mutants: $(READY) ## Change the engine's proofs and checks in 400 small ways, each of which a test must notice
	$(BIN)/pytest -m long tests/idemix/test_mutants.py $(ARGS)

coverage: $(READY) ## Measure which branches of the engine its tests take; fails below 95 %
	$(BIN)/coverage run -m pytest -q -m "not long" tests/idemix tests/vectors $(ARGS)
	$(BIN)/coverage report

features: $(READY) ## List the features with what shows each; fails where a finished one lacks something
	$(BIN)/python -m tests.features

demo: $(READY) ## Run the main job in a fresh data directory (ARGS=--exit ends after the steps)
	@exec $(BIN)/irmahub demo $(ARGS)

bench: $(READY) ## Measure the engine in multiples of one modular exponentiation
	$(BIN)/irmahub bench engine $(ARGS)

bench-sessions: $(READY) ## Measure whole sessions (the record: ARGS="--runs 5 --seconds 60 --json" on a quiet machine)
	$(BIN)/irmahub bench sessions $(ARGS)

bench-events: $(READY) ## Measure status events: 5,000 listeners, changes raised on another worker
	$(BIN)/irmahub bench events $(ARGS)

conformance: $(READY) ## Compare with the recorded vectors
	$(BIN)/irmahub conformance $(IRMAHUB_SHARED)/vectors $(ARGS)

diagrams: $(READY) ## Draw the documentation's pictures from the code
	$(BIN)/python -m irmahub.diagrams docs

compatibility: $(READY) ## Write the rules of the engine into docs/compatibility.md
	$(BIN)/python -m tests.compatibility

lock: ## Lock the dependencies with their hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --output-file requirements/runtime.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --constraint requirements/runtime.txt --extra dev --output-file requirements/dev.txt pyproject.toml

migration: $(READY) ## Start a migration: make migration m="what it does"
	@VENV=$(VENV) tools/new-migration "$(m)"

wheel: $(READY) ## Build the wheel into dist/
	$(BIN)/python -m hatchling build --target wheel

clean: ## Remove what was built, and the virtual environment
	rm -rf $(VENV) idemix/arith/libkernel.so tests/frontends/node_modules .coverage build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
