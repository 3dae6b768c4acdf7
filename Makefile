# Two commands set everything up on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer with venv, make, and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQ := deploy/requirements
# Tests run in three processes, a module's tests in one of them: those that wait for a node leave a
# core to the others. The order of the folders is kept: acceptance tests take longest and start
# first.
JOBS ?= 3
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder
SOURCES := $(shell find service -path service/docs -prune -o -type f -not -path '*/__pycache__/*' -print) \
           $(wildcard models/calcification/*.onnx models/calcification/*.toml) pyproject.toml

# Byte code is written, whatever the shell says: tests start a few hundred processes, and each of them
# and each of pytest's own would compile all that it imports anew, for half of what its start costs.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test quick check lint types tests peers conformance bench soak lock sbom advisories clean

demo: $(VENV)/.installed
	$(BIN)/secondread demo --out secondread-demo

# Types are checked beside the tests, which leave the processor idle where they wait.
test: lint $(VENV)/.installed
	$(MAKE) -j 2 types tests

# What to run while you work.
quick: check
	$(PYTEST) tests/unit service

check: lint types

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	PYTHONPATH=service $(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.installed $(VENV)/.dev
	$(PYTEST)

# All validators over the golden set of reports and the table of faults, and the documents that
# say what came of it; needs the peers, takes many minutes.
conformance: $(VENV)/.installed $(VENV)/.dev
	$(BIN)/python -m pytest -s tests/conformance/every_report.py tests/conformance/catch_rates.py
	$(BIN)/python -m secondread conformance --validation service/docs/validation.md --out service/docs/conformance.md

# All take an hour; some of them: `make bench BENCH="growth startup"`. Figures and curves go to build/bench.
BENCH ?=
bench: $(VENV)/.installed $(VENV)/.dev
	$(BIN)/python -m tests.bench $(BENCH)

# The receiver under a hostile crowd, with its figures at the end; 20,000 connections take some ten
# minutes. `make soak SOAK_CONNECTIONS=1000 SOAK_SEED=7` for less, or another crowd.
SOAK_CONNECTIONS ?= 20000
SOAK_SEED ?= 1
# And changed files, data sets, reports and sessions; 100,000 take some hours on two cores. A run that
# was stopped goes on with `python -m tests.mutation --seed SEED --first NUMBER`.
SOAK_CASES ?= 100000
# And a whole node with its database and its PACS, killed so many times on each database. A fault is
# looked for again with the same seed.
SOAK_KILLS ?= 120
soak: $(VENV)/.installed $(VENV)/.dev
	SOAK_SEED=$(SOAK_SEED) PYTHONPATH=service $(BIN)/python -m pytest -q tests/integration/test_take_over.py tests/kills \
	    tests/acceptance/test_full_disk_reading.py tests/acceptance/test_restore.py
	for database in sqlite postgresql; do \
	    PYTHONPATH=service $(BIN)/python -m tests.kills.campaign --database $$database \
	        --kills $(SOAK_KILLS) --seed $(SOAK_SEED) || exit 1; \
	done
	$(BIN)/python -m tests.soak.receiver_soak --connections $(SOAK_CONNECTIONS) --seed $(SOAK_SEED)
	PYTHONPATH=service $(BIN)/python -m tests.mutation --cases $(SOAK_CASES) --seed $(SOAK_SEED)

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.requirements: $(VENV)/.python $(REQ)/runtime.txt $(REQ)/build.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(REQ)/runtime.txt -r $(REQ)/build.txt
	touch $@

# The wheel is built and installed, never linked: what is tested is what a hospital gets.
$(VENV)/.installed: $(VENV)/.requirements $(SOURCES)
	rm -rf build/wheel
	$(BIN)/python -m build -q --wheel --no-isolation --outdir build/wheel .
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --force-reinstall build/wheel/*.whl
	touch $@

$(VENV)/.dev: $(VENV)/.requirements $(REQ)/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(REQ)/dev.txt
	touch $@

# Programs that acceptance tests use as peers; Debian only, as root. Starts no daemon.
peers:
	deploy/install-peers.sh

# Writes the hash-pinned requirement files anew from pyproject.toml.
lock:
	deploy/lock-requirements.sh

# What a node runs on, as CycloneDX JSON; needs no network.
sbom: $(VENV)/.python
	mkdir -p build
	$(BIN)/python deploy/make-sbom.py $(REQ)/runtime.txt > build/sbom.json

# Known weaknesses of what is locked, asked of PyPI: needs a network, and changes from day to day
# without a change here, so that it is no part of `make test`. What could not be asked about fails too.
advisories:
	$(PYTHON) -m venv build/advisories
	build/advisories/bin/pip install -q --disable-pip-version-check --require-hashes -r $(REQ)/audit.txt
	build/advisories/bin/pip-audit --strict --disable-pip --require-hashes -r $(REQ)/runtime.txt
	build/advisories/bin/pip-audit --strict --disable-pip --require-hashes -r $(REQ)/dev.txt

clean:
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
