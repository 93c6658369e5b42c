# `make` prints the targets. Every target sets .venv up first, when its inputs have changed.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp

# A user's import path must not reach into the environment.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup run serve transcode test unit contract e2e browser chromium conformance bench check format lock clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Create .venv from requirements/dev.txt (PYTHON=python3.12 chooses the interpreter)

$(STAMP): requirements/dev.txt requirements/footage.txt pyproject.toml
	@PYTHON='$(PYTHON)' devstack/setup.sh
	@touch $@

run: $(STAMP) ## Send a video through the whole system and check the result (VIDEO=path for your own)
	$(BIN)/python -m devstack run $(if $(VIDEO),"$$VIDEO")

serve: $(STAMP) ## Keep servers, API and worker up until Ctrl-C, with their data in .devstack/
	$(BIN)/python -m devstack serve

transcode: $(STAMP) ## Transcode a file without servers: VIDEO=clip.mp4 OUT=folder (ARGS='--profile NAME')
	@variables=$$($(BIN)/python -m devstack ffmpeg) && eval "$$variables" && \
		$(BIN)/python -m vworker transcode "$$VIDEO" --out "$$OUT" $(ARGS)

test: $(STAMP) chromium ## Run all tests on real servers, files side by side (ARGS='-k name' for pytest)
	$(BIN)/python -m pytest tests -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

unit: $(STAMP) ## Run the tests of the pure parts
	$(BIN)/python -m pytest tests/unit $(ARGS)

contract: $(STAMP) ## Run the tests of each part against its real server
	$(BIN)/python -m pytest tests/contract $(ARGS)

e2e: $(STAMP) ## Run the tests from HTTP to HLS with real daemons
	$(BIN)/python -m pytest tests/e2e $(ARGS)

browser: $(STAMP) chromium ## Run the tests of the playback page in Chromium
	$(BIN)/python -m pytest tests/browser $(ARGS)

chromium: $(STAMP)
	@devstack/setup.sh chromium

conformance: $(STAMP) ## Run the same scenarios on vqueue and on BullMQ (needs Node 20) and compare
	$(BIN)/python -m benchmarks setup --peers bullmq-node
	$(BIN)/python -m tests.differential

bench: $(STAMP) ## Measure vqueue beside other queues (QUICK=1: under 5 minutes and four queues; ARGS)
	$(BIN)/python -m benchmarks run $(if $(QUICK),--quick) $(ARGS)

check: $(STAMP) ## Check format, lint, types, import contracts and spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(STAMP) ## Format the code and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade for newer versions)
	PYTHON='$(PYTHON)' requirements/lock.sh $(ARGS)

clean: ## Remove .venv, caches and the data of make serve
	rm -rf .venv .devstack .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
