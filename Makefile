# make help says what there is. Everything happens in .venv, which is made when it is first needed.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test lint simulate clean system

BIN := .venv/bin
# The list is complete, so nothing is looked up beyond it.
PIP_INSTALL := install --quiet --disable-pip-version-check --no-input --no-deps

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: .venv/ready ## the whole loop on a real Label Studio with sample data; KEEP=1 leaves the server up
	@echo "==> demo"
	@$(BIN)/python examples/demo.py $(if $(KEEP),--keep)

test: system .venv/ready ## everything: system packages, lint, all tests (they install and start both servers)
	@mkdir -p build
	@echo "==> making the servers' environments meanwhile; the log is build/environments.log"
	@set -e; \
	$(BIN)/python -u -m tests.make_environments >build/environments.log 2>&1 & making=$$!; \
	trap 'kill $$making 2>/dev/null || true' EXIT; \
	$(MAKE) --no-print-directory lint; \
	echo "==> tests"; \
	$(BIN)/python -m pytest -n 2

lint: .venv/ready ## ruff and mypy --strict
	@echo "==> ruff and mypy"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

simulate: .venv/ready ## ten thousand simulated campaigns with faults and crashes; SCHEDULES=500 makes it fewer
	@echo "==> simulation"
	@$(BIN)/python -m bridge.testing.simulation --schedules $(or $(SCHEDULES),10000)

clean: ## remove .venv and what the tools leave behind
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@echo "==> system packages"
	@tests/install-system-packages.sh

.venv/ready: .venv/packages pyproject.toml
	@echo "==> installing annobridge into .venv"
	@$(BIN)/python -m pip $(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

# PYTHON=/path/to/python3 chooses the interpreter; otherwise the first suitable one (the lists are for 3.11 to 3.13).
.venv/packages: requirements-dev.txt
	@echo "==> setting up .venv"
	@set -e; found=""; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "no Python 3.11, 3.12 or 3.13 on PATH; install one, or say: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	"$$found" -c 'import ensurepip, venv' 2>/dev/null || PYTHON="$$found" tests/install-system-packages.sh python3-venv; \
	echo "    $$("$$found" --version), packages from requirements-dev.txt (a few minutes the first time)"; \
	rm -rf .venv; \
	"$$found" -m venv .venv; \
	$(BIN)/python -m pip $(PIP_INSTALL) -r requirements-dev.txt; \
	touch $@
