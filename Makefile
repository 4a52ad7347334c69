# make run    start echod on 127.0.0.1:65432, TCP and UDP
# make test   the whole test suite
# make check  ruff and mypy

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
METADATA := pyproject.toml setup.cfg

.PHONY: setup run test check clean

setup: $(BIN)/.installed

$(BIN)/.installed: $(METADATA)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# pip 25.1 is the first that knows dependency groups.
$(BIN)/.developing: $(BIN)/.installed $(METADATA)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

run: $(BIN)/.installed
	$(BIN)/twistd -n --pidfile= echod --port 65432

test: $(BIN)/.developing
	$(BIN)/python -m pytest --cov $(PYTEST_FLAGS)

check: $(BIN)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
