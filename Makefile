# Both main commands do all the set-up first, say what they install, and can be repeated.
#   make multihop   set up, build the images, run the six-site multi-hop experiment
#   make test       set up, build the images, lint, and run every test
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3 || echo /usr/bin/python3)
VENV := .venv/bin
ARGS ?=

.PHONY: help multihop test setup setup-tests venv images lint test-unit test-integration test-kernels bench lock clean

help:
	@sed -n '2,3s/^#   //p' $(MAKEFILE_LIST)
	@echo 'make setup      system packages, .venv and images, nothing else'
	@echo 'make lint | test-unit | test-integration | test-kernels | bench | lock | clean'

multihop: setup
	@$(VENV)/python -m lab emulate multihop $(ARGS)

test: setup-tests lint
	@echo '==> tests: unit, property, integration'
	@$(VENV)/python -m pytest $(ARGS)

setup:
	@$(PYTHON) scripts/setup.py

setup-tests:
	@$(PYTHON) scripts/setup.py --for-tests

venv:
	@$(PYTHON) scripts/setup.py --only-venv

images: setup

lint: venv
	@$(VENV)/python scripts/step.py 'lint: ruff' -- $(VENV)/ruff check .
	@$(VENV)/python scripts/step.py 'format: ruff' -- $(VENV)/ruff format --check .
	@$(VENV)/python scripts/step.py 'types: mypy' -- $(VENV)/mypy

test-unit: venv
	@$(VENV)/python -m pytest tests/unit tests/property $(ARGS)

test-integration: setup-tests
	@$(VENV)/python -m pytest tests/integration $(ARGS)

test-kernels: setup
	@$(VENV)/python tests/kernels/run.py $(ARGS)

bench: setup
	@for script in benchmarks/*.py; do echo "==> $$script"; $(VENV)/python "$$script" || exit 1; done

lock: venv
	@$(PYTHON) scripts/lock.py

clean:
	@[ ! -x $(VENV)/python ] || [ "$$(id -u)" != 0 ] || $(VENV)/python -m lab cleanup
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
