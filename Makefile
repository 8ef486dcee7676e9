# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# make demo   the whole thing against a simulated org, in a minute
# make test   every check; prints each stage and its time
# make docs   the reference of modules, plugins and roles, in build/reference/html
# make bench  the table of measurements, and build/bench.json

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test docs bench clean

demo: $(VENV)/ready
	@$(BIN)/python -m tests.demo

test: $(VENV)/ready
	@$(BIN)/python -m tests.check

docs: $(VENV)/ready
	@$(BIN)/python -m tools.reference

bench: $(VENV)/ready
	@$(BIN)/python -m tests.bench

$(VENV)/ready: requirements.txt tests/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=...") if sys.version_info < (3, 11) else None'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

clean:
	rm -rf build $(VENV) .venv-*
