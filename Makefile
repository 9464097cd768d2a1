# Everything a clone needs: `make run` starts Tocsin, `make test` checks it. Needs Python 3.11 or newer and make.

SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install --use-pep517
WEB := $(PY) build_web.py
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet
# The make of macOS cannot keep the output of parallel parts together.
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.DEFAULT_GOAL := help
CHECKS := check-app-types check-types check-app-lint check-app-test check-imports check-app-rooms check-style
.PHONY: help api run test test-long lint $(CHECKS) packages tests format types lock audit build bench clean

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

run: $(VENV)/.run  ## set up, build the app, migrate, seed a demo once, start web and worker (PORT=8463)
	@$(WEB)
	@exec $(BIN)/tocsin run --demo

# The tests run last and whatever came before, so that one run shows everything and ends with what the tests say.
test: $(VENV)/.dev  ## run every check and every test
	@failed=0; $(WEB) || failed=1; $(PY) -m tests.chromium || failed=1; $(PY) -m tests.firefox; \
	$(MAKE) --no-print-directory lint || failed=1; \
	$(MAKE) --no-print-directory tests && exit $$failed

lint: packages  ## run the checks that need no running program
	@$(MAKE) --no-print-directory --jobs=2 --keep-going $(TOGETHER) $(CHECKS)

check-types:
	$(BIN)/mypy
check-style:
	@failed=0; $(BIN)/ruff check --quiet --output-format concise . || failed=1; \
	$(BIN)/ruff format --quiet --check --output-format concise . && exit $$failed
check-imports:
	$(BIN)/lint-imports --no-cache --no-logo
$(filter check-app-%,$(CHECKS)): check-app-%:
	$(WEB) npm run --silent $*

packages: $(VENV)/.dev
	@$(WEB) packages

# The tests of a file stay together, so that they share what was started; three at a time, for much of it is waiting.
tests: $(VENV)/.dev
	@set -o pipefail; $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST) 2>&1 | tee $(VENV)/last-tests.txt

test-long: $(VENV)/.dev  ## run the tests that take minutes: long fault runs, a kill at every write
	@$(PY) -m pytest -m long $(PYTEST)

format: packages  ## put every file into the house style
	$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .
	$(WEB) npm run --silent format

api: $(VENV)/.dev  ## keep the OpenAPI document, the phone's types and the schema of plans as the server now gives them
	@$(BIN)/tocsin plan schema --to docs/plan.schema.json
	@$(BIN)/tocsin openapi > pwa/openapi.json
	@$(WEB) npm exec -- openapi-typescript openapi.json --default-non-nullable=false -o src/types/api.ts

lock: $(VENV)/.dev  ## work out the lock files anew (UPGRADE=1 also takes newer versions)
	@$(PIP) 'uv>=0.13'
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group build --group test -o requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock --group build -o requirements-build.lock
	$(LOCK) --constraint requirements-dev.lock pyproject.toml -o requirements.lock
	$(WEB) npm install --package-lock-only

audit: $(VENV)/.dev  ## ask the public lists about known faults in what is installed (needs the network)
	@$(PIP) 'pip-audit>=2.9'
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock
	$(WEB) npm audit --omit=dev

build: $(VENV)/.run  ## make dist/*.whl and dist/*.tar.gz with the built app inside
	$(PY) -m hatchling build

bench: $(VENV)/.dev  ## measure what the performance figures in the documents come from
	@$(WEB)
	$(PY) -m bench

clean:  ## remove everything that was made; the data in var/ stays
	rm -rf $(VENV) dist build server/web pwa/node_modules test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find server tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -m venv $(VENV) && exit 0; \
		rm -rf $(VENV); echo "Python cannot make a virtual environment here; on Debian: apt install python3-venv" >&2; exit 1; \
	done; echo "Tocsin needs Python 3.11 or newer." >&2; exit 1

$(VENV)/.run: $(PY) requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing what Tocsin runs on …"
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what the checks need …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
