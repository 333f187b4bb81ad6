# MaixForge. `make` alone lists what can be made. Needs GNU make and Python 3.11 or 3.12 with pip.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --only-binary :all:
SAMPLES := samples/sample_dump/maixforge/fasteners
BOXES := samples/sample_boxes/maixforge/scattered
PRESET ?= fast
SECONDS ?= 60
JOBS ?= 3
LOCK := build/lock/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help setup run demo demo-detect board keygen nncase test test-slow fuzz lint bench translations lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## install everything into .venv (again only when requirements change)

run: $(VENV)/.run ## start the host at http://127.0.0.1:8080
	$(BIN)/maixforge serve

demo: $(VENV)/.run ## take the sample pictures through the whole pipeline (PRESET=fast|balanced|best)
	rm -rf out/demo
	$(BIN)/maixforge train $(SAMPLES) -o out/demo --preset $(PRESET)

demo-detect: $(VENV)/.run ## the same for the sample pictures with boxes: a detector
	rm -rf out/demo-detect
	$(BIN)/maixforge train $(BOXES) -o out/demo-detect --preset $(PRESET) --set stride=16

board: $(VENV)/.run ## write the board's scripts to dist/board, one self-contained file each
	$(BIN)/python -m host.deploy.board dist/board

keygen: ## build the program that burns keys (needs gcc-riscv64-unknown-elf)
	$(MAKE) -C firmware/keygen

nncase: $(VENV)/.run ## install nncase 1.9 for CanMV files (needs a Python 3.7 to 3.10)
	$(BIN)/python -m host.kmodel.canmv

# One thread of OpenBLAS a process: those that wait for each other take the others' processor.
test: $(VENV)/.dev ## run the tests (JOBS=3 files at a time; some of them only wait)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses $(JOBS) \
	    --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.dev ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow

fuzz: $(VENV)/.dev build/fuzz/atheris ## fuzz what reads a kmodel (SECONDS=60)
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=build/fuzz $(BIN)/python tests/kmodel/fuzz/run.py build/fuzz/run \
	    -max_total_time=$(SECONDS)

lint: $(VENV)/.dev ## check style, types and the arrows between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/.run ## time every step of the pipeline on the sample pictures
	$(BIN)/python -m benchmarks.pipeline

translations: $(VENV)/.dev ## bring the Chinese catalogue up to date; fails while a text is untranslated
	$(BIN)/python -m host.i18n.refresh

lock: build/lock/bin/uv ## write requirements/*.txt again from pyproject.toml (needs a network)
	$(LOCK) --python-version 3.11 pyproject.toml -o requirements/run.txt
	$(LOCK) --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --python-version 3.7 requirements/nncase.in -o requirements/nncase.txt

clean: ## remove what was built; keeps .venv and your data
	rm -rf build dist out .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

build/lock/bin/uv: | $(VENV)/.python
	$(BIN)/python -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check --quiet install uv

# Not among the requirements: only the fuzzer needs it, and there are wheels for Linux only.
build/fuzz/atheris: | $(VENV)/.python
	$(PIP) --target build/fuzz atheris==3.0.0

$(VENV)/.python:
	@for python in $(or $(PYTHON),python3.11 python3.12 python3 python); do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	        2>/dev/null; then \
	        echo "Making $(VENV) with $$($$python --version)"; \
	        $$python -m venv $(VENV) && touch $@ && exit 0; \
	        exit 1; \
	    fi; \
	done; \
	echo "MaixForge needs Python 3.11 or 3.12 with its venv module; none was found."; \
	echo "  Debian, Ubuntu: sudo apt install python3.11 python3.11-venv"; \
	echo "  macOS:          brew install python@3.12"; \
	echo "  elsewhere:      name one yourself: make setup PYTHON=/path/to/python3.11"; \
	exit 1

# Nothing is fetched but the locked files: the project itself is linked in without a network.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/.python
	@echo "Installing the locked requirements; the first time this fetches about 400 MB"
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
