# `make help` lists the targets. Each sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9
REQUIREMENTS ?= requirements/dev.txt
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(BIN)/python
API ?=
CONTEXT ?=
CHART ?=
KEEP ?=
SEED ?=
FIGURE ?=
BENCH_ARGS ?=
DAGS ?=
PYTEST_ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv from the locked requirements

.uv/bin/uv:
	@echo "no uv on PATH: installing uv $(UV_VERSION) into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: $(REQUIREMENTS) pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@echo "installing $(REQUIREMENTS) into $(VENV)"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(REQUIREMENTS)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: check
check: setup ## Run all static checks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(RUN) -m batchtask_api.generate --check
	PYTHONPATH=helm $(RUN) -m batchtask_chart --check --without-helm

.PHONY: format
format: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: test
test: setup apiserver ## Run all tests but the chaos suite
	$(BIN)/pytest --ignore tests/chaos --ignore tests/image --ignore tests/airflow_chart $(PYTEST_ARGS)

.PHONY: unit
unit: setup ## Run the unit and contract tests
	$(BIN)/pytest tests/unit tests/contract $(PYTEST_ARGS)

.PHONY: compat
compat: ## Run the executor's tests on the oldest Airflow served, in a .venv of its own
	@$(MAKE) --no-print-directory setup apiserver REQUIREMENTS=requirements/dev-airflow-3.2.2.txt VENV=.venv-322
	.venv-322/bin/pytest tests/unit/executor tests/contract/executor tests/integration/executor $(PYTEST_ARGS)

.PHONY: apiserver
apiserver: setup ## Have kube-apiserver, its companions, kubectl and helm at hand: built once, then cached
	$(RUN) -m batchtask_local.apiserver prepare --with helm --with kube-scheduler

.PHONY: footprint
footprint: setup apiserver ## Measure a controller's CPU and memory, at rest and with 5,000 live tasks
	cd tests && ../$(RUN) -m integration.helm.footprint

.PHONY: image-test
image-test: setup ## Carry the Dockerfile's steps out in a clean Debian, start the controller there (root, debootstrap)
	$(BIN)/pytest tests/image $(PYTEST_ARGS)

.PHONY: airflow-chart
airflow-chart: setup ## Render helm/airflow-values.yaml with the official chart (CHART=folder or .tgz)
	AIRFLOW_CHART="$(abspath $(CHART))" $(BIN)/pytest tests/airflow_chart $(PYTEST_ARGS)

.PHONY: chaos
chaos: setup apiserver ## Kill controllers by seed, then audit (SEED=7 repeats one; else 20 seeds, every point, the mutants)
	cd tests && ../$(RUN) -m chaos $(if $(SEED),--first $(SEED) --seeds 1,--mutants --points --seeds 20)

.PHONY: chaos-subset
chaos-subset: setup apiserver ## The part of the chaos suite that CI runs: every point by death, the mutants, 2 seeds
	$(BIN)/pytest tests/chaos $(PYTEST_ARGS)

.PHONY: bench
bench: ## Measure beside other executors (FIGURE=heartbeat|calls|controller, BENCH_ARGS="--tasks 10000")
	@$(MAKE) --no-print-directory setup apiserver REQUIREMENTS=requirements/bench.txt VENV=.venv-bench
	@for figure in $(or $(FIGURE),heartbeat calls controller); do \
		PYTHONPATH=tests .venv-bench/bin/python -m bench $$figure $(BENCH_ARGS); done

.PHONY: matrix
matrix: setup apiserver ## Run Airflow's example DAGs on both executors, and compare (DAGS="example_xcom": only these)
	cd tests && ../$(RUN) -m matrix $(DAGS)

.PHONY: demo
demo: setup ## Run an Airflow DAG through it all (API=envtest|emulator|kubeconfig, KEEP=1 stays up)
	$(RUN) -m batchtask_local.demo $(if $(API),--api $(API)) $(if $(CONTEXT),--context $(CONTEXT)) $(if $(KEEP),--keep)

.PHONY: generate
generate: setup ## Write all generated files
	$(RUN) -m batchtask_api.generate
	PYTHONPATH=helm $(RUN) -m batchtask_chart

.PHONY: verify
verify: generate ## Fail where a generated file is not as committed
	@git diff --exit-code --stat -- api helm manifests || { echo "generated files differ: commit what 'make generate' wrote"; exit 1; }
	@test -z "$$(git status --porcelain -- api helm manifests)" || { git status --short -- api helm manifests; echo "commit what 'make generate' wrote"; exit 1; }

LOCK := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11 pyproject.toml

.PHONY: lock
lock: $(filter .uv/bin/uv,$(UV)) ## Pin the requirements anew (UPGRADE=1 takes newer versions)
	$(UV) $(LOCK) $(if $(UPGRADE),--upgrade) --all-extras --group dev -o requirements/dev.txt
	$(UV) $(LOCK) $(if $(UPGRADE),--upgrade) --all-extras --group dev -c requirements/airflow-3.2.2.in -o requirements/dev-airflow-3.2.2.txt
	$(UV) $(LOCK) $(if $(UPGRADE),--upgrade) --all-extras --group dev --group bench -o requirements/bench.txt
	$(UV) $(LOCK) $(if $(UPGRADE),--upgrade) --extra controller -o requirements/controller.txt

.PHONY: clean
clean: ## Remove what the targets made in this folder
	rm -rf $(VENV) .venv-322 .venv-bench .uv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
