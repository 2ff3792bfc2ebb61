# Registro MIPRES. `make run` starts the whole product, `make test` tests it, `make help` lists every command.

SHELL := /bin/bash
.DEFAULT_GOAL := run
.PHONY: run test check fuzz chaos drill upgrade attacks bench bench-growth soak lint style audit sbom openapi reset lock help

PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes
UV := $(or $(wildcard .venv/bin/uv),uv)
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
# One process a processor, four at most: each may start PostgreSQL, Temporal and a whole product of its own.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# Programs speak Spanish, whatever the locale of the machine and whether it exists.
export PYTHONUTF8 := 1

# An environment that is half made, or whose Python has gone, has no pip. One of another Python than python3 is
# replaced, unless python3 is too old to make one.
USUAL := $(shell python3 -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null || echo 0 0)
IS_FIT := import pip, sys; usual = tuple(map(int, sys.argv[1:])); \
  sys.exit(sys.version_info < (3, 11) or (3, 11) <= usual != sys.version_info[:2])
UNFIT := $(shell [ ! -e .venv -a ! -L .venv ] || .venv/bin/python -c '$(IS_FIT)' $(USUAL) >/dev/null 2>&1 || echo yes)
ifneq ($(UNFIT),)
ifneq ($(shell [ -w . ] && { [ -L .venv ] || [ -w .venv ]; } && echo yes),yes)
$(error El entorno .venv no le sirve a esta cuenta, y no puede reemplazarlo: clone el repositorio en una carpeta suya)
endif
$(info El entorno .venv está a medias o es de otro Python: se crea de nuevo.)
$(shell rm -rf .venv)
endif

# The recipe becomes the launcher: make hands its signals to the one process that stops the others.
run: .venv/.stack ## Start the whole product on loopback, until Ctrl-C
	@exec $(PYTHON) -m dev.stack

test: .venv/.dev ## Run every test; ARGS goes to pytest
	@$(PYTHON) -m pytest $(PARALLEL) $(ARGS)

check: style ## Lint, and run the tests that start no server: within a minute
	@$(PYTHON) -m pytest --quiet $(PARALLEL) -m "not server" $(ARGS)

fuzz: .venv/.dev ## Attack forms, API and parsers with more than ten thousand cases
	@FUZZ=long $(PYTHON) -m pytest -q --timeout 1800 tests/fuzz tests/product/test_attacks.py $(ARGS)

chaos: .venv/.stack ## Kill each part at each step, within ten minutes, and print what was lost
	@$(PYTHON) -m dev.chaos $(ARGS)

drill: .venv/.stack ## Back a product up, lose it, restore it, and print how long that took
	@$(PYTHON) -m dev.drill

upgrade: .venv/.dev ## Play a new build and the way back with the manifests' commands, and print each step
	@$(PYTHON) -m tests.deployment.upgrade

attacks: .venv/.stack ## Attack a product on loopback, within five minutes, and print what held
	@$(PYTHON) -m dev.attacks $(ARGS)

bench: .venv/.bench ## Measure the product; BENCH=quick takes less than two minutes
	@$(PYTHON) -m bench

bench-growth: .venv/.bench ## Measure how it grows; BENCH_WAITING sets how many registrations wait
	@$(PYTHON) -m bench.growth

soak: .venv/.bench ## Live a mixed day with failures and look for growth; SOAK_MINUTES sets how long (5)
	@$(PYTHON) -m bench.soak --minutes $(or $(SOAK_MINUTES),5) $(ARGS)

lint: style .venv/.audit ## Check style, types, layers, and known weaknesses of dependencies
	$(PYTHON) -m dev.audit

style: .venv/.dev ## Check style, types and layers, without the network
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

audit: .venv/.audit ## Check dependencies for known weaknesses; fail also where the advisory database knows not all
	@$(PYTHON) -m dev.audit --strict

sbom: .venv/.audit ## Write sbom.json: the image's Python packages as CycloneDX, from the lock and its hashes
	@.venv/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --of JSON -o sbom.json
	@echo "sbom.json"

openapi: .venv/.dev ## Write docs/openapi.json, the JSON API as a file
	@$(PYTHON) -m dev.openapi

reset: ## Delete the data of the product that `make run` started
	@python3 -m dev.reset

# The development lock decides the versions; the others are parts of it, but for what only benchmarks need.
lock: ## Compile the locked requirements from pyproject.toml
	$(COMPILE) --group dev pyproject.toml --output-file requirements-dev.lock
	$(COMPILE) --group stack --constraint requirements-dev.lock pyproject.toml --output-file requirements-stack.lock
	$(COMPILE) --group bench --constraint requirements-dev.lock pyproject.toml --output-file requirements-bench.lock
	$(COMPILE) --group pyproject.toml:audit --constraint requirements-dev.lock --output-file requirements-audit.lock
	$(COMPILE) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock

help: ## List every command
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 16

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
	@[ -w . ] || { echo "No se puede escribir en $(CURDIR): clone el repositorio en una carpeta de esta cuenta." >&2; exit 1; }
	@echo "Creando el entorno .venv…"
	@python3 -m venv .venv \
		|| { rm -rf .venv; echo "No se pudo crear .venv: instale el módulo venv de Python (en Debian, python3-venv)." >&2; exit 1; }
