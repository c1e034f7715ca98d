# Every target does the set-up it needs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DS_BUILD_OPS := 0
export MATURIN_PEP517_ARGS := --locked
export HF_HUB_OFFLINE := 1
# Property tests take the same examples in every run; another PROPTEST_RNG_SEED looks for new ones.
export PROPTEST_RNG_SEED ?= 7

.PHONY: help setup demo test check bench docs lock clean
help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.built ## Make .venv with everything the demo and the tests need

$(VENV)/.locked: requirements.lock
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup, then run make again" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: install gcc or clang, then run make again" >&2; exit 1; }
	if command -v uv >/dev/null && [ ! -x $(BIN)/uv ]; then uv venv -q --allow-existing --python $(PYTHON) $(VENV); \
	else [ -x $(BIN)/uv ] || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -q uv; }; fi
	VIRTUAL_ENV=$(CURDIR)/$(VENV) uv pip install -q --require-hashes -r requirements.lock
	touch $@

$(VENV)/.built: $(VENV)/.locked pyproject.toml $(RUST)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) uv pip install -q --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## The whole way on real text, into out/demo
	gristmill demo --out out/demo

test: setup $(VENV)/bin/s3s-fs ## All tests, Rust and Python
	cargo test --release --workspace --locked
	python -m pytest

check: setup $(VENV)/bin/cargo-deny ## Format, lint, types, licenses, spelling, import layers
	ruff format --check
	ruff check
	mypy
	python -m mypy.stubtest gristmill._core --mypy-config-file pyproject.toml
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo-deny --locked check bans licenses sources
	typos
	python -m pytest -q tests/unit/test_layers.py

$(VENV)/bin/cargo-deny: | $(VENV)/.locked
	cargo install -q --locked --root $(CURDIR)/$(VENV) cargo-deny@0.20.2

# The S3 server of the tests; unoptimized, as it builds in half the time so.
$(VENV)/bin/s3s-fs: | $(VENV)/.locked
	cargo install -q --locked --debug --features binary --root $(CURDIR)/$(VENV) s3s-fs@0.14.1

bench: setup ## Paired comparisons with the peers (long)
	for bench in $(filter-out benches/paired.py benches/%_peers.py,$(wildcard benches/*.py)); do python $$bench; done

docs: setup ## The site, into site/
	mkdocs build --strict

lock: ## Resolve requirements.lock anew from pyproject.toml
	uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev \
	    --generate-hashes --no-annotate --no-header --no-emit-package gristmill -q -o requirements.lock

clean: ## Remove what was built
	rm -rf $(VENV) target out runs site
