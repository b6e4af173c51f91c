# Everything needs Python 3.11+ and make, nothing else. Each target makes .venv when it is missing or
# older than pyproject.toml. Options go in ARGS: make test ARGS="-k embedded"

PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= 2
ARGS ?=
# A worker has one half of the tests and ends with what is left of the other's: what a module prepares is made once.
PARALLEL = -n $(WORKERS) --dist worksteal
APART := tests/isolation tests/homes tests/moving \
	tests/archives/test_isolations.py tests/archives/test_round_trip.py tests/archives/test_random.py
# With tenants of all three kinds by turns, in one process.
INTERLEAVED := tests/isolation tests/homes/test_interleaved.py tests/homes/test_raw_sql.py
# Starts two servers and projects of its own on them.
SERVERS := tests/shards

BIN := .venv/bin
STAMP := .venv/.installed
# Their dependencies and ours for development exclude each other, so they have an environment of their own.
THIRDPARTY := .venv-thirdparty

.DEFAULT_GOAL := help
.PHONY: demo test coverage test-isolations test-databases lint docs bench bench-peers django-suite test-services test-browser test-thirdparty clean help

demo: $(STAMP)  ## Make three tenants and serve them (ARGS=--once: try them out and stop)
	$(BIN)/python manage.py demo $(ARGS)

test: $(STAMP)  ## Run the tests, on an embedded PostgreSQL or on DATABASE_URL
	$(BIN)/python -m pytest $(PARALLEL) --ignore=$(SERVERS) $(ARGS)

coverage: $(STAMP)  ## The same, a quarter slower, and report what they ran through
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL) --ignore=$(SERVERS) $(ARGS); status=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$status

test-isolations: $(STAMP)  ## Run the tests of isolation again: tenants in schemas, some of each kind, on two servers
	TENANTKIT_TEST_ISOLATION=schema $(BIN)/python -m pytest $(PARALLEL) $(APART) tests/guard tests/fire/test_packets.py $(ARGS)
	TENANTKIT_TEST_ISOLATION=mixed $(BIN)/python -m pytest $(PARALLEL) $(APART) tests/fire/test_fire.py $(ARGS)
	TENANTKIT_TEST_ISOLATION=all $(BIN)/python -m pytest $(PARALLEL) $(INTERLEAVED) $(ARGS)
	$(BIN)/python -m pytest $(PARALLEL) $(SERVERS) $(ARGS)

test-databases: $(STAMP)  ## The same with tenants in databases, and with schemas in shards
	TENANTKIT_TEST_ISOLATION=database $(BIN)/python -m pytest $(PARALLEL) $(APART) tests/guard $(ARGS)
	TENANTKIT_TEST_ISOLATION=shard $(BIN)/python -m pytest $(PARALLEL) $(INTERLEAVED) $(ARGS)

lint: $(STAMP)  ## Check style, types, imports and missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy django_tenantkit $(wildcard example_project)
	$(BIN)/lint-imports
	test ! -d example_project || $(BIN)/python manage.py makemigrations --check --dry-run

docs: $(STAMP)  ## Build the documentation into docs/_build; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -E docs docs/_build

bench: $(STAMP)  ## Measure
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-peers: $(STAMP)  ## Measure beside django-tenants and django-pgschemas, which are installed under .cache/
	$(BIN)/python -m tests.benchmarks.peers $(ARGS)

django-suite: $(STAMP)  ## Run Django's own tests on these backends
	$(BIN)/python -m tests.django_suite $(ARGS)

test-services: $(STAMP)  ## Run the tests that need PgBouncer, Redis or Citus, and show what they counted
	$(BIN)/python -m pytest -m services -s $(ARGS)
	TENANTKIT_TEST_ISOLATION=mixed $(BIN)/python -m pytest -m services -s tests/fire $(ARGS)

test-browser: $(STAMP)  ## Run the tests that need a web browser
	$(BIN)/python -m pytest -m browser $(ARGS)

test-thirdparty: $(THIRDPARTY)/.installed  ## Run other projects' code against this one: wagtail, helpdesk, oscar
	$(THIRDPARTY)/bin/python -m pytest --ds=tests.thirdparty.settings -m thirdparty tests/thirdparty $(ARGS)

clean:  ## Remove what the other targets make, .venv included
	rm -rf .venv $(THIRDPARTY) docs/_build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

$(THIRDPARTY)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(THIRDPARTY)/bin/python || $(PYTHON) -m venv $(THIRDPARTY)
	$(THIRDPARTY)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[thirdparty]"
	touch $@
