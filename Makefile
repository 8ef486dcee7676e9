# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# make demo      the whole thing against a simulated org, in a minute
# make check     what one runs before a commit: style, types, unit tests, plays without Ansible
# make test      style, types and all tests, on one ansible-core
# make test-all  the same, and every other check: each ansible-core, format readers, a browser, sanity, linters, documentation
# make docs      guides and reference as one site, in build/site/html
# make live      what only a real org can answer, asked of one that you name: make live ARGS="--org ID"; docs/live.md
# make bench     the table of measurements, and build/bench.json

VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo check test test-rest test-all docs live bench clean

demo: $(VENV)/ready
	@$(BIN)/python -m tests.demo

check: $(VENV)/ready
	@$(BIN)/python -m tests.check check

test: $(VENV)/ready
	@$(BIN)/python -m tests.check test

test-rest: $(VENV)/ready
	@$(BIN)/python -m tests.check rest

test-all: test
	@$(MAKE) --no-print-directory test-rest

docs: $(VENV)/ready
	@$(BIN)/python -m tools.reference

live: $(VENV)/ready
	@$(BIN)/python -m tests.live $(ARGS)

bench: $(VENV)/ready
	@$(BIN)/python -m tests.bench

# PYTHON is found by tools/find-python unless it is given: make PYTHON=... test
$(VENV)/ready: requirements.txt tests/requirements.txt $(wildcard tests/requirements/*.txt)
	@set -e; python="$(PYTHON)"; \
	test -n "$$python" || python=$$(tools/find-python); \
	echo "Installing into $(VENV) with $$("$$python" --version) of $$python ..."; \
	"$$python" -m venv --clear $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

clean:
	rm -rf build $(VENV) .venv-*
