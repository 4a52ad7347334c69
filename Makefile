# make run    start echod on 127.0.0.1:65432, TCP and UDP
# make test   the whole test suite
# make check  ruff and mypy
# make bench  echod beside other echo servers (benchmarks/README.md); half an hour or
#             more. RESULTS=docs/performance.md writes them there
# make bench-quick  the main figures, in two minutes
# make fuzz   ten million inputs for the parser of the PROXY protocol; four minutes

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
METADATA := pyproject.toml setup.cfg

.PHONY: setup run test check bench bench-quick fuzz clean

setup: $(BIN)/.installed

# An environment that is not finished is cleared and made anew: nothing mends a pip
# that was interrupted. pip 25.1 is the first that knows dependency groups.
$(BIN)/.made:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
		"PYTHON $(PYTHON) is %d.%d; want 3.11 or newer" % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(BIN)/.installed: $(BIN)/.made $(METADATA)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(BIN)/.developing: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

run: $(BIN)/.installed
	$(BIN)/twistd -n --pidfile= echod --port 65432

test: $(BIN)/.developing
	$(BIN)/python -m pytest $(PYTEST_FLAGS) --cov

check: $(BIN)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/.benching: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

bench: $(BIN)/.benching
	$(BIN)/python -m benchmarks $(if $(RESULTS),--document $(RESULTS)) $(BENCH_FLAGS)

bench-quick: $(BIN)/.benching
	$(BIN)/python -m benchmarks --quick $(BENCH_FLAGS)

$(BIN)/.fuzzing: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --group fuzz
	@touch $@

fuzz: $(BIN)/.fuzzing
	$(BIN)/python -m tests.fuzz.guided -runs=10000000 $(FUZZ_FLAGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
