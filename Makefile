# Needs make and Python 3.11 or newer; everything else goes into .venv and nothing outside of it.
#   make demo    install, then run the main job on real images
#   make test    install what the tests need, then run them
#   make coverage  the same, watched: fails where less than 90 % of the code is run
#   make lint    style, types and the order of imports
#   make slow    the tests that take longer: planted faults, kills at more moments
#   make families  the tests that train a member of each large family of networks, some fifteen minutes
#   make ray     the tests that start a Ray cluster, in one process: where Ray gives up it ends the process it is in
#   make check   lint, test, slow and ray, as in continuous integration

VENV ?= .venv
BIN := $(VENV)/bin
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python
FITS := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.PHONY: help demo test coverage slow families ray lint check
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.train
	$(BIN)/foveal demo

# Two processes; more threads in each would only get in each other's way.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

# Apart from `test`: watching the hundreds of processes that the tests start costs as much as some of them do.
coverage: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --cov

slow: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "slow and not ray"

families: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m families tests/models tests/train tests/flows

ray: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/backends tests/flows -m "ray and not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test slow ray

$(VENV)/.python:
	@for python in $(PYTHONS); do \
		if "$$python" -c '$(FITS)' 2>/dev/null; then \
			echo "creating $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv $(VENV) && touch $@ && exit 0; \
		fi; \
	done; \
	echo "foveal needs Python 3.11 or newer with its venv module; none was found among: $(PYTHONS)" >&2; \
	echo "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv)," >&2; \
	echo "or name yours: make demo PYTHON=/path/to/python3.12" >&2; \
	exit 1

# A stamp is as new as the last installation: it runs again when pyproject.toml changes, and only then.
$(VENV)/.train: pyproject.toml $(VENV)/.python
	@$(SAY)
	$(BIN)/python -m pip install --editable '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.python
	@$(SAY)
	$(BIN)/python -m pip install --editable '.[dev]'
	$(BIN)/python -m pip install --no-deps lightly lightly-utils  # its losses are compared with ours; what it depends on is not needed
	@touch $@ $(VENV)/.train

define SAY
	if ! $(BIN)/python -c 'import torch' 2>/dev/null; then \
		echo "Now pip installs foveal for training: torch, torchvision, onnx, scikit-learn, matplotlib and what they need."; \
		echo "Plain pip takes the CUDA build of torch: about 5.6 GB on disk, some minutes to download."; \
		echo "Without an NVIDIA card, less will do: stop here, set PIP_EXTRA_INDEX_URL to the CPU index that"; \
		echo "pytorch.org names under Get Started, and run make again. Nothing is downloaded after this."; \
	fi
endef
