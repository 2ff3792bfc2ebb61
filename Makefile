# Registro MIPRES. `make run` starts the whole product; `make test` tests it.

SHELL := /bin/bash
.DEFAULT_GOAL := run
.PHONY: run test fuzz chaos bench bench-growth lint audit sbom reset lock

PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes
UV := $(or $(wildcard .venv/bin/uv),uv)
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header

# The recipe becomes the launcher: make hands its signals to the one process that stops the others.
run: .venv/.stack
	@exec $(PYTHON) -m dev.stack

test: .venv/.dev
	@$(PYTHON) -m pytest $(ARGS)

# The same attacks as in `make test`, ten thousand cases and more, and how many answers were 500 or worse.
fuzz: .venv/.dev
	@FUZZ=long $(PYTHON) -m pytest -q --timeout 1800 tests/fuzz tests/product/test_attacks.py $(ARGS)

# Kills every part at every step on a stack of its own, within ten minutes, and prints what was lost.
chaos: .venv/.stack
	@$(PYTHON) -m dev.chaos $(ARGS)

# BENCH=quick takes less than two minutes. It needs nothing else: it starts a stack of its own on free ports.
bench: .venv/.bench
	@$(PYTHON) -m bench

# How the product grows; BENCH_WAITING sets how many registrations wait.
bench-growth: .venv/.bench
	@$(PYTHON) -m bench.growth

lint: .venv/.dev .venv/.audit
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -m dev.audit

# Fails where the advisory database of Python packages does not answer, too.
audit: .venv/.audit
	@$(PYTHON) -m dev.audit --strict

# What the image's Python packages are, as CycloneDX, from the lock and its hashes.
sbom: .venv/.audit
	@.venv/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --of JSON -o sbom.json
	@echo "sbom.json"

reset:
	@python3 -m dev.reset

# The development lock decides the versions; the others are parts of it, but for what only benchmarks need.
lock:
	$(COMPILE) --group dev pyproject.toml --output-file requirements-dev.lock
	$(COMPILE) --group stack --constraint requirements-dev.lock pyproject.toml --output-file requirements-stack.lock
	$(COMPILE) --group bench --constraint requirements-dev.lock pyproject.toml --output-file requirements-bench.lock
	$(COMPILE) --group pyproject.toml:audit --constraint requirements-dev.lock --output-file requirements-audit.lock
	$(COMPILE) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock

.venv/.stack: requirements-stack.lock | .venv/bin/python
	@echo "Instalando las dependencias de requirements-stack.lock en .venv (solo la primera vez)…"
	@$(PIP_INSTALL) --requirement $<
	@touch $@

.venv/.dev: requirements-dev.lock requirements-stack.lock | .venv/bin/python
	@echo "Instalando las dependencias de requirements-dev.lock en .venv (solo la primera vez)…"
	@$(PIP_INSTALL) --requirement $<
	@touch $@ .venv/.stack

.venv/.audit: requirements-audit.lock | .venv/bin/python
	@echo "Instalando las dependencias de requirements-audit.lock en .venv (solo la primera vez)…"
	@$(PIP_INSTALL) --requirement $<
	@touch $@

.venv/.bench: requirements-bench.lock requirements-stack.lock | .venv/bin/python
	@echo "Instalando las dependencias de requirements-bench.lock en .venv (solo la primera vez)…"
	@$(PIP_INSTALL) --requirement $<
	@touch $@ .venv/.stack

.venv/bin/python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Se necesita Python 3.11 o posterior como python3." >&2; exit 1; }
	@echo "Creando el entorno .venv…"
	@python3 -m venv .venv \
		|| { echo "No se pudo crear .venv: instale el módulo venv de Python (en Debian, python3-venv)." >&2; exit 1; }
