# Everything on a machine with python3, make and a package index:  make demo   make test
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN = $(VENV)/bin
PIP = -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
JOBS ?= auto

.PHONY: help demo test lint unit test-slow test-backends bench-smoke bench attack attack-smoke clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.ready  ## train on 8x8 images of four levels, store 8 bytes each, decode them in a fresh process
	$(BIN)/codeword demo

test: lint unit  ## format, types, imports, and the tests on JAX that need no minutes

lint: $(VENV)/.ready  ## the quick half of test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(VENV)/.ready  ## the tests of test alone, compiled hastily
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-slow: $(VENV)/.ready  ## the other tests on JAX: trainings, programs of the documents, fresh processes
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow tests

# The contracts that compare bits, which may depend on what the compiler optimizes.
BITS = $(patsubst %,tests/contracts/test_%.py,activations_contract autoencoder_contract code_noise fresh_process gate_network hardmax_draws layers_contract staircase_draws)

test-backends: $(VENV)/.ready .venv-torch/.ready .venv-tensorflow/.ready  ## the contracts on PyTorch and TensorFlow, and their bits on JAX, compiled as for users
	KERAS_BACKEND=jax XLA_FLAGS= $(BIN)/python -m pytest -n $(JOBS) $(BITS)
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest -n $(JOBS) tests/contracts
	KERAS_BACKEND=tensorflow .venv-tensorflow/bin/python -m pytest -n $(JOBS) tests/contracts

BENCHMARKS = $(filter-out benchmarks/results_file.py benchmarks/report.py,$(wildcard benchmarks/*.py))

bench-smoke: $(VENV)/.ready  ## every benchmark for a few seconds, to see that it runs
	printf '%s\n' $(BENCHMARKS) | xargs -P 2 -I program sh -c 'echo program; $(BIN)/python program --smoke'

bench: $(VENV)/.ready .venv-torch/.ready .venv-tensorflow/.ready  ## what docs/performance.md shows, measured anew: an hour
	$(BIN)/python $(PIP) --editable ".[benchmarks]"
	.venv-torch/bin/python $(PIP) vector-quantize-pytorch
	rm -f $(addprefix benchmarks/results/,training_*.json encoding_*.json growth_*.json)
	for program in training encoding growth start_up report; do $(BIN)/python benchmarks/$$program.py || exit 1; done

ATTACKS = $(patsubst reliability/%.py,%,$(shell grep -lE '^ +run.__file__' reliability/*.py))

attack: $(VENV)/.ready  ## attack files, stores and processes for minutes, and rewrite docs/reliability.md
	failed=0; for attack in $(ATTACKS); do $(BIN)/python -m reliability.$$attack || failed=1; done; \
		$(BIN)/python -m reliability.report && exit $$failed

attack-smoke: $(VENV)/.ready  ## every attack for a few seconds
	printf '%s\n' $(ATTACKS) | JAX_DISABLE_MOST_OPTIMIZATIONS=1 xargs -P 2 -I attack $(BIN)/python -m reliability.attack --smoke

clean:  ## remove the environments and what the tools left behind
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "codeword needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable ".[jax,dev]"
	@touch $@

.venv-torch/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python $(PIP) torch==2.13.0
	.venv-torch/bin/python $(PIP) --editable ".[test]"
	@touch $@

.venv-tensorflow/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-tensorflow
	.venv-tensorflow/bin/python $(PIP) tensorflow-cpu --editable ".[test]"
	@touch $@
