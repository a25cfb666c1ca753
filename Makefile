# Needs Python >= 3.11 and make; everything else is put into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
OUT ?= out/shvit_s1-iphone

.PHONY: demo test tools check fuzz matrix bench clean

demo: .venv/.demo
	$(BIN)/edgevit export timm:shvit_s1 --target iphone -o $(OUT)

test: .venv/.dev tools
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=30

# Cross compilers and QEMU, by apt-get where that is allowed.
tools:
	tests/install_tools.sh

# The whole sets of random nets; `make test` runs a few that cover every kind of block.
fuzz: .venv/.dev tools
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/generator --nets $(or $(NETS),200)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/mcu/test_random_nets.py --firmware-nets 100

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

matrix: .venv/.dev
	$(BIN)/python benchmarks/matrix.py --output docs/matrix.md
	$(BIN)/python benchmarks/runtimes.py --output docs/runtimes.md
	$(BIN)/python benchmarks/rules.py --output docs/rules.md

bench: .venv/.dev
	$(BIN)/python benchmarks/export_cost.py --output docs/export-cost.md
	$(BIN)/python benchmarks/latency.py --output docs/latency.md
	$(BIN)/python benchmarks/litert_floor.py --output docs/litert-floor.md
	$(BIN)/python benchmarks/firmware_nets.py --output docs/firmware-nets.md
	$(BIN)/python -m pip install --quiet --no-deps tflite-micro
	$(BIN)/python benchmarks/tflm_arenas.py --output docs/tflm-arenas.md

# torch first and alone: resolved together with the rest, pip may take a CUDA build.
.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.12')"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[coreml,zoo]"
	touch $@

.venv/.dev: .venv/.demo
	$(PIP) -e ".[coreml,executorch,tflite,onnx,tvm,mcu,zoo,dev]"
	touch $@

clean:
	rm -rf .venv out build dist .pytest_cache .ruff_cache .hypothesis
