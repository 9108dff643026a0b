# Both main commands do all the set-up first, say what they install, and can be repeated.
#   make multihop   set up, build the images, run the six-site multi-hop experiment
#   make test       set up, build the images, lint, and run every test
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3 || echo /usr/bin/python3)
VENV := .venv/bin
ARGS ?=
# programs that the lab keeps in the user's own places, which a guest does not see
FLANNELD = LAB_FLANNELD="$${LAB_FLANNELD:-$$($(VENV)/python -c 'from overlays.flannel import flanneld; print(flanneld.build())')}"
UNIT_TESTS := tests/unit tests/property tests/mutation
UML_TESTS := -m pytest -sv -p no:cacheprovider -o timeout=900

.PHONY: help multihop test setup setup-tests setup-kernels venv images lint test-unit test-integration test-netem test-virtual test-kernels test-machine test-pythons dist bench fuzz mutants chaos architecture docs docs-data lock clean

help:
	@sed -n '2,3s/^#   //p' $(MAKEFILE_LIST)
	@echo 'make setup      system packages, .venv and images, nothing else'
	@echo 'make lint | test-unit | test-integration | test-virtual | test-kernels | test-machine | test-pythons | dist | bench | fuzz | mutants | chaos | architecture | docs | docs-data | lock | clean'

multihop:
	@echo 'multihop: sets up what is missing, then builds six sites on this machine, puts one overlay after the'
	@echo 'other on them, measures, and removes everything. Ctrl-C ends it at any time, and removes what it made.'
	@$(PYTHON) scripts/setup.py
	@$(VENV)/python -m lab emulate multihop --clock auto $(ARGS)

# those that measure time one after the other, all else side by side
test: setup-tests lint
	@nice -n 19 $(VENV)/python -m tests.lanes fetch > build/fetch.log 2>&1 & \
	status=0; echo '==> tests: unit, property, mutation'; \
	$(VENV)/python -m pytest -n auto $(UNIT_TESTS) $(ARGS) || status=1; \
	echo '==> tests: integration, virtual time'; \
	$(VENV)/python -m tests.lanes $(ARGS) || status=1; exit $$status

setup:
	@$(PYTHON) scripts/setup.py

setup-tests:
	@$(PYTHON) scripts/setup.py --for-tests

setup-kernels:
	@$(PYTHON) scripts/setup.py --for-kernels

venv:
	@$(PYTHON) scripts/setup.py --only-venv

images: setup

lint: venv
	@$(VENV)/python scripts/step.py 'lint: ruff' -- $(VENV)/ruff check .
	@$(VENV)/python scripts/step.py 'format: ruff' -- $(VENV)/ruff format --check .
	@$(VENV)/python scripts/step.py 'types: mypy' -- $(VENV)/mypy
	@$(VENV)/python scripts/step.py 'text: prose' -- $(VENV)/python -m scripts.prose

test-unit: venv
	@$(VENV)/python -m pytest -n auto $(UNIT_TESTS) $(ARGS)

test-integration: setup-tests
	@$(VENV)/python -m tests.lanes $(ARGS)

# netem, on Debian's user-mode Linux: some minutes, and it needs no image; ARGS=--steady beside other work
test-netem: setup-tests
	@echo '==> tests: links, on a kernel with netem'
	@$(VENV)/python tests/kernels/run.py $(ARGS)

# virtual time: builds its kernel first, once, in some ten minutes on two processors
test-virtual: setup-tests
	@$(VENV)/python -m lab images build --virtual
	@$(VENV)/python -m pytest tests/virtual tests/integration/test_virtual.py $(ARGS)

test-kernels: setup-kernels test-netem
	@echo "==> tests: Weave's fast datapath, on a kernel with Open vSwitch"
	@$(VENV)/python tests/kernels/run.py env LAB_WEAVER="$${LAB_WEAVER:-$$(command -v weaver || true)}" \
		$(VENV)/python $(UML_TESTS) tests/kernels/test_fastdp.py
	@echo '==> tests: Flannel on ipip, and on WireGuard in a virtual machine'
	@$(VENV)/python tests/kernels/run.py --memory 1500M env $(FLANNELD) $(VENV)/python $(UML_TESTS) \
		tests/kernels/test_flannel.py
	@$(VENV)/python tests/kernels/vm.py --memory 2G env $(FLANNELD) $(VENV)/python $(UML_TESTS) \
		tests/kernels/test_flannel.py -k wireguard
	@echo '==> tests: three hosts on cgroup v2 and netem, in a virtual machine'
	@$(VENV)/python tests/kernels/vm.py

# documents of every kind, changed at random and led by coverage, with a new seed each time; ARGS=--seed=5 repeats one
SECONDS ?= 60
fuzz: venv
	@HYPOTHESIS_PROFILE=fresh $(VENV)/python -m pytest -q tests/property --ignore tests/property/test_mutants.py
	@$(VENV)/python -m tests.property.fuzzing --seconds $(SECONDS) $(ARGS)

# faults put into what runs as root, N of each package: how many the unit tests notice; ARGS=--seed=5 repeats a draw
N ?= 50
mutants: venv
	@$(VENV)/python -m tests.mutation.run --number $(N) $(ARGS)

# commands of the lab killed at random moments, N times, one and then two at once: nothing may stay or be touched
chaos: setup-tests
	@$(VENV)/python -m tests.chaos.run --number $(N) $(ARGS)
	@$(VENV)/python -m tests.chaos.run --number $(N) --labs 2 $(ARGS)

bench: setup
	@for script in benchmarks/*.py; do echo "==> $$script"; $(VENV)/python "$$script" || exit 1; done

# the picture of the rooms and who imports whom, docs/figures/architecture.svg; ARGS=--check only compares
architecture: venv
	@$(VENV)/python -m scripts.architecture $(ARGS)

# the documentation as a site: open build/site/index.html in a browser
docs: venv
	@$(VENV)/python -m scripts.docs_site

# the page and the figures of the documentation that are made of the runs in docs/data
docs-data: venv
	@$(VENV)/python -m scripts.overlays_compared $(ARGS)
	@$(VENV)/python -m scripts.stored_pages

# a whole system with systemd in a virtual machine; an hour or more without KVM; ARGS="--only doctor"
SYSTEM ?= debian13
test-machine: setup-kernels
	@$(VENV)/python -m tests.machine.run $(SYSTEM) $(ARGS)

# the tests that need no root on other Pythons, in environments of their own: PYTHONS='python3.12 python3.13'
PYTHONS ?= python3.12 python3.13 python3.14
test-pythons: venv
	@$(VENV)/python -m scripts.pythons $(PYTHONS) $(if $(ARGS),-- $(ARGS))

# a source archive and a wheel of it, in dist
dist: venv
	@$(VENV)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: venv
	@$(PYTHON) scripts/lock.py

clean:
	@[ ! -x $(VENV)/python ] || [ "$$(id -u)" != 0 ] || $(VENV)/python -m lab cleanup
	rm -rf .venv build dist *.egg-info .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
