PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHALICE_PARTS := image_api crud_api
RESOLVED := --quiet --upgrade --universal --python-version 3.11 --no-annotate --custom-compile-command "make requirements"
PACKAGES := benchmarks deploy docs/diagrams monitoring sandbox webtier

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage check format templates diagrams site bench requirements clean

# Lists the targets.
help:
	@awk '/^# /{text=substr($$0, 3)} /^[a-z-]+:/{sub(/:.*/, ""); if (text) printf "make %-14s %s\n", $$0, text; text=""} !/^# /{if (!/^[a-z-]+:/) text=""}' Makefile

# Creates or updates .venv, the virtual environment everything else runs in.
setup: $(VENV)/.requirements

$(VENV)/.requirements: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or later is needed; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=/path/to/python3.11 or later.")'
	@echo "setup: creating $(VENV) from requirements-dev.txt"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet "$$(grep '^uv==' requirements-dev.txt)"
	@$(BIN)/uv pip sync --python $(BIN)/python requirements-dev.txt
	@touch $@

# Starts the sandbox, deploys all four parts into it and takes the tour.
demo: setup
	@$(BIN)/python -m sandbox demo

# Runs every check and every test.
test: setup check
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

# Runs every test and reports what they cover.
coverage: setup
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=term

# Checks style, types and templates.
check: setup templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=crud_api/vendor $(BIN)/mypy $(PACKAGES)
	@for part in $(CHALICE_PARTS); do (cd $$part && MYPYPATH=vendor:.. ../$(BIN)/mypy --config-file ../pyproject.toml $$(ls *.py) chalicelib vendor/api_access vendor/problem_details) || exit 1; done
	@$(BIN)/cfn-lint --include-experimental --include-checks I --configure-rule E3012:strict=true -- build/*.json
	@$(BIN)/python -m tests.parliament.run build/*.json */.chalice/policy-*.json
	@$(BIN)/python -m tests.checkov.run build/*.json
	@$(BIN)/python -m tests.nag.run build/*.json

# Formats the code.
format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Writes every template into build/.
templates: setup
	@$(BIN)/python webtier/build.py
	@$(BIN)/python monitoring/build.py
	@for part in $(CHALICE_PARTS); do $(BIN)/python $$part/resources.py || exit 1; done
	@$(BIN)/python deploy/github_actions.py

# Draws every architecture from its templates into docs/diagrams/.
diagrams: setup templates
	@$(BIN)/python -m docs.diagrams

# Builds the documentation as a site, into build/site/.
site: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/uv tool run --quiet --with-requirements docs/site-requirements.txt --from mkdocs mkdocs build --quiet

# Runs the benchmarks beside their peers and prints the ratios.
bench: setup
	@$(BIN)/python -m benchmarks

# Resolves requirements-dev.txt anew from pyproject.toml, and checkov's; pins what is shipped, with hashes.
requirements: setup
	@$(BIN)/uv pip compile $(RESOLVED) --group dev --output-file requirements-dev.txt
	@$(BIN)/uv pip compile $(RESOLVED) --output-file tests/checkov/requirements.txt tests/checkov/requirements.in
	@for part in $(CHALICE_PARTS); do $(BIN)/uv pip compile $(RESOLVED) --generate-hashes --output-file $$part/requirements.txt $$part/requirements.in || exit 1; done
	@$(BIN)/uv pip compile $(RESOLVED) --generate-hashes --constraint requirements-dev.txt --output-file webtier/application/requirements.txt webtier/application/requirements.in

# Removes everything that make created.
clean:
	@rm -rf $(VENV) build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
