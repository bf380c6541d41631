# Every target sets up what it needs, `.venv` included, and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.pressline-run
DEV_STAMP := $(VENV)/.pressline-dev
LOCKS := deploy/requirements

TASKS ?= 5000
KILLS ?= 10
BROKERS ?= 1
BROKER_KILLS ?= 1
FAULTS ?= all
SEED ?= 1
SEEDS ?= 1000
SCENARIO ?= all
SOAK_S ?= 3600
CASES ?= core
ROUNDS ?= 5
TEST_PROCESSES ?= 2
# They watch how soon something happens, so nothing else runs beside them.
TIMED_TESTS := tests/chaos tests/failpoints tests/integration

.PHONY: demo test lint format bench chaos failpoints simulate scenarios soak clean lock help

help: ## Show the targets.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(RUN_STAMP) ## 500 rows become 500 published pages.
	@$(BIN)/python -m streams.demo

test: $(DEV_STAMP) lint ## Lint, types, imports and every test, on real Kafka and PostgreSQL.
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
	  $(addprefix --ignore=,$(TIMED_TESTS))
	@$(BIN)/python -m pytest $(TIMED_TESTS)

lint: $(DEV_STAMP) ## Lint, types, imports.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV_STAMP) ## Format the code.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(DEV_STAMP) ## Speed and cost of the engine beside its peers: tables, plots, bars.
	@$(BIN)/python -m benchmarks --cases $(CASES) --rounds $(ROUNDS)

chaos: $(DEV_STAMP) ## Break everything under load and check that nothing is lost; prints one JSON object last.
	@$(BIN)/python -m tests.chaos --tasks $(TASKS) --kills $(KILLS) --brokers $(BROKERS) \
	  --broker-kills $(BROKER_KILLS) --faults $(FAULTS) --seed $(SEED)

failpoints: $(DEV_STAMP) ## Kill -9 workers KILLS times at each point of a call: no received answer is bought again.
	@PYTHONPATH=tests $(BIN)/python -m failpoints --kills $(KILLS) --seed $(SEED)

scenarios: $(DEV_STAMP) ## Play SCENARIO (or all) and hold what is measured beside its bar; prints one JSON object last.
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.scenarios $(SCENARIO) $(if $(SHORT),--short)

soak: $(DEV_STAMP) ## Load workers steadily for SOAK_S seconds: nothing that they hold may grow.
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.scenarios soak --soak-s $(SOAK_S)

simulate: $(DEV_STAMP) ## Break engine and gateway on a virtual clock, SEEDS times; prints one JSON object last.
	@PYTHONPATH=tests $(BIN)/python -m simulation --seeds $(SEEDS) --seed $(SEED)

lock: $(DEV_STAMP) ## Renew the hash-locked requirements from pyproject.toml.
	@for name in runtime embedded dev; do \
	  extra="--extra otel --extra redis --extra tokens"; [ $$name = runtime ] || extra="--extra $$name"; \
	  $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --universal --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header $$extra pyproject.toml -o $(LOCKS)/$$name.txt; \
	done

clean: ## Remove what the targets made; the embedded services' data too.
	rm -rf $(VENV) .bench .pressline .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pressline needs Python 3.11 or later; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): $(LOCKS)/embedded.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing Pressline into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/embedded.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(DEV_STAMP): $(LOCKS)/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing Pressline and its checks into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(RUN_STAMP)
