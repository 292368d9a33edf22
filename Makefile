# make app    serve the application (PORT=8501)
# make test   run every test
# make bench  measure what must be fast, beside the plain PyTorch way
# Each sets up all it needs, once.

PORT ?= 8501
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: app test bench
app: .venv/app.done
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/dev.done
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/dev.done
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m tests.benchmarks.bench

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
