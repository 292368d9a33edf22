# make app    serve the application on this machine (PORT=8501); HOST=0.0.0.0 opens it to a class
# make check  format, lint, types, layers and the quick tests
# make test   run every test
# make bench  measure what must be fast, beside the plain PyTorch way
# make load   many visitors at once (VISITORS=30)
# make shot   make the README's screenshot
# Each sets up all it needs, once.

PORT ?= 8501
VISITORS ?= 30
HOST ?= localhost
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: app check test bench load shot
app: .venv/app.done
	$(BIN)/python serve.py --server.port $(PORT) --server.address $(HOST)

check: .venv/dev.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -m "not slow" tests/pruning $(ARGS)

test: .venv/dev.done
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/dev.done
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m tests.benchmarks.bench $(ARGS)

load: .venv/dev.done
	$(BIN)/python -m tests.load.load --visitors $(VISITORS) $(ARGS)

shot: .venv/dev.done
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m tests.browser.screenshot assets/screenshot.png

# Debian keeps venv in a package of its own.
$(BIN)/pip:
	$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update && apt-get install -y python3-venv; \
	  else echo "Python's venv is missing: run 'sudo apt-get install python3-venv' and try again"; exit 1; fi; \
	  $(PYTHON) -m venv .venv; }

.venv/app.done: requirements.txt | $(BIN)/pip
	$(BIN)/pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

.venv/dev.done: requirements-dev.txt .venv/app.done
	$(BIN)/pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@
