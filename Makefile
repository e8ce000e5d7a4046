# Two commands for a fresh machine: `make demo` and `make test`. Each does its own set-up in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test unit lint docs site lock bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

demo: $(VENV)/.runtime ## Play the whole release story on local processes
	@$(BIN)/python -I actions/_setup/run.py demo

test: $(VENV)/.dev lint ## Everything: linters, types, contracts, unit and integration tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 40

unit: $(VENV)/.dev ## The fast tests alone
	$(BIN)/python -m pytest tests/unit

lint: $(VENV)/.dev ## ruff, mypy, import contracts, shellcheck
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	git ls-files -z '*.sh' .ci/run | xargs -0 $(BIN)/shellcheck

docs: $(VENV)/.dev ## Write the generated reference pages again
	$(BIN)/python -m tests.contract.generate

site: $(VENV)/.dev ## Build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(VENV)/.dev ## Measure, as ratios, and write bench/README.md
	$(BIN)/python -m bench

lock: $(VENV)/.dev ## Write the hash locks again
	cd requirements && for name in runtime dev; do \
	  $(abspath $(BIN))/uv pip compile -q --no-strip-extras --generate-hashes --universal --python-version 3.11 \
	    --no-emit-index-url --no-header $$name.in -o $$name.txt; done

clean: ## Remove what the commands above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage site

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with PYTHON=..., such as make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@ $(VENV)/.runtime
