# The one list of commands; `make` alone explains them.
#
#   PYTHON=python3.12 make dev               another Python (3.11 or newer) for the environment
#   make dev ARGS="--port 8081 --tls"        options for the command behind the target
#   make test ARGS="tests/ledger -k holds"

PYTHON ?= python3
JOBS ?= 2
ARGS ?=
ENVIRONMENT := .venv/.synced
RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help dev test check format bench bench-quick storm chaos chaos-long leakscan fuzz sbom clean reset

help:  ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: $(ENVIRONMENT)  ## Runs everything on this machine: Postgres, Temporal with its UI, api, worker; Ctrl-C stops it
	@exec ./hookledger dev $(ARGS)

test: $(ENVIRONMENT)  ## Runs the tests on JOBS processes, with a real Postgres and a real Temporal
	@$(RUN) pytest -q -n $(JOBS) $(ARGS)

check: $(ENVIRONMENT)  ## Checks format, lint, types and the direction of imports
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) pyright
	@.venv/bin/lint-imports

format: $(ENVIRONMENT)  ## Formats, and mends what the linter can mend
	@$(RUN) ruff check --fix --quiet .
	@$(RUN) ruff format --quiet .

bench: $(ENVIRONMENT)  ## Measures against the bare references; the last line is one JSON object
	@$(RUN) bench $(ARGS)

bench-quick: $(ENVIRONMENT)  ## Races and storms in under a minute, with wider noise
	@$(RUN) bench --quick $(ARGS)

storm: $(ENVIRONMENT)  ## Storms an api with 200,000 events while it is asked for decisions; the last line is one JSON object
	@$(RUN) bench.overload $(ARGS)

chaos: $(ENVIRONMENT)  ## Breaks everything at random under 2,000 hooks (4 minutes); the last line is one JSON object
	@$(RUN) chaos $(ARGS)

chaos-long: $(ENVIRONMENT)  ## The same with 20,000 hooks and 60 faults (20 minutes)
	@$(RUN) chaos --hooks 20000 --faults 60 $(ARGS)

leakscan: $(ENVIRONMENT)  ## Plays a story full of sentinels and looks for them in every byte that is left (1 minute)
	@$(RUN) leakscan $(ARGS)

fuzz: $(ENVIRONMENT)  ## Calls every surface at random 20,000 times, and grows inputs for 10 minutes; the last line is one JSON object
	@$(RUN) fuzz $(ARGS)

sbom: $(ENVIRONMENT)  ## Writes which packages of others production runs: hookledger.cdx.json, in CycloneDX's form
	@$(RUN) dev.sbom

clean:  ## Removes caches; the environment and the data stay
	@rm -rf .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./.venv -prune -o -path ./.hookledger -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

reset: $(ENVIRONMENT)  ## Removes the data of `make dev`: ledger, workflows, secrets, logs
	@$(RUN) dev.reset

$(ENVIRONMENT): pyproject.toml uv.lock dev/environment.sh deploy/uv.txt
	@PYTHON="$(PYTHON)" sh dev/environment.sh
	@touch $@
