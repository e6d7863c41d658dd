# The two commands of the README are `make demo` and `make test`; both rest on `make setup`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

.PHONY: help setup demo test lint mutants simulate soak screenshots dockerfile-check lock clean

help: ## Show what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

setup: ## Build .venv from requirements.lock, once per lock file.
	@scripts/setup.sh

demo: setup ## Play a crash over a guarded and an unguarded account.
	@$(BIN)/seawall demo

test: lint ## Check style, types and imports, then run every test.
	$(BIN)/pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

PARTS ?= alarm limits orders agent plan backstop
mutants: setup ## Look in PARTS="alarm limits ..." for small mistakes that no test would notice.
	@$(BIN)/python -m scripts.mutants $(PARTS)

SEEDS ?= 200
simulate: setup ## Play SEEDS=200 bad days and judge the guard at every step.
	@$(BIN)/seawall simulate --seeds 0:$$(( $(SEEDS) - 1 )) --json

MINUTES ?= 60
SEED ?= 7
soak: setup ## Run a guard over sockets for MINUTES=60 of faults; fail if it grows.
	@$(BIN)/python -m bench.soak --minutes $(MINUTES) --seed $(SEED)

screenshots: setup ## Write the demo's first, middle and last screens to docs/.
	@$(BIN)/seawall demo --screenshots docs

dockerfile-check: setup ## Run the Dockerfile's steps in a plain directory, and what they build.
	@$(BIN)/python scripts/dockerfile_check.py

lock: ## Resolve requirements.lock anew from pyproject.toml (needs uv).
	@scripts/lock.sh

clean: ## Remove .venv and everything that tools leave behind.
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
