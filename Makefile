# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target installs what it needs first: .venv, and for those that start the lab also Debian packages.
#   PYTHON=…       the Python that .venv is made with (3.11 to 3.13; the system's if it is one of these)
#   PYTEST_ARGS=…  more arguments for pytest, such as PYTEST_ARGS='-k raid -x'
#   CHECKS=…       some of lint only, such as CHECKS="mypy ruff-check"
#   CEPH=…         the release of Ceph that RBD's tests run on, 16, 18 or 20, from Debian (the host's own)
#   LAB_MACHINE=…  the machine for tests, qemu or uml (what works here; see tests/lab/README.md)
#   SITE=…         for awx-install and awx-uninstall: a file with settings (see playbooks/awx/settings.yml)
#   MINUTES=…      for fuzz: how long new walks are begun (20)
#   EVERY=write    for crash-matrix: cut the power at writes, not only at steps

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PYTHON PYTEST_ARGS CEPH
export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(VIRTUAL_ENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR):$(VIRTUAL_ENV)/collections
export ANSIBLE_COLLECTIONS_PATH := $(VIRTUAL_ENV)/collections

PARALLEL := python -m pytest -p tests.lab.fixtures -n 2 --dist loadgroup --durations=30 --durations-min=5
INTEGRATION := $(PARALLEL) tests/integration tests/lab tests/browser

.PHONY: help
help:  ## print this list
	@awk -F ':.*## +' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: demo-needs  ## start a machine with spare disks and build a storage stack in it
	python -m tests.lab up
	ansible-playbook -i "$$(python -m tests.lab inventory)" playbooks/demo.yml

.PHONY: demo-elastic
demo-elastic: demo-needs  ## start such a machine and watch a drive grow and shrink with its use
	python -m tests.lab up
	ansible-playbook -i "$$(python -m tests.lab inventory)" playbooks/demo_elastic.yml

.PHONY: test
test: lab-needs ceph-needs cinder-needs browser-needs  ## what must pass for each change: lint, unit tests and most of integration
	tests/tools/test

.PHONY: lint
lint: needs  ## formatting, types, documentation, licences, the importer of Galaxy, ansible-test sanity
	python -m tests.tools.lint $(CHECKS)

.PHONY: sanity-matrix
sanity-matrix: needs  ## ansible-test sanity alone, with every ansible-core and Python that the collection supports
	python -m tests.tools.sanity

.PHONY: docs
docs: needs  ## the documentation as a site, in the directory site
	python -m tests.tools.docs site
	@echo "Open site/index.html"

.PHONY: format
format: needs  ## let ruff format the code and fix what it can
	ruff format
	ruff check --fix

.PHONY: unit
unit: needs  ## tests without root and without a kernel of their own; most wait for servers
	python -m pytest -n 4 tests/unit $(PYTEST_ARGS)

.PHONY: integration
integration: lab-needs ceph-needs cinder-needs browser-needs  ## all tests in a virtual machine, with real disks and a power switch
	$(INTEGRATION) $(PYTEST_ARGS)

.PHONY: coverage
coverage: lab-needs ceph-needs cinder-needs browser-needs  ## which lines and branches unit and integration tests run together; fails below a floor
	python -m tests.tools.coverage $(PYTEST_ARGS)

.PHONY: thorough
thorough: lab-needs ceph-needs cinder-needs browser-needs sanity-matrix  ## that matrix, integration in QEMU with Debian 12 and 13, RBD on Ceph 16 to 20 (hours)
	python -m pytest -n 2 tests/unit -m hypothesis --hypothesis-profile=default
	LAB_MACHINE=qemu LAB_SUITE=bookworm $(INTEGRATION) $(PYTEST_ARGS)
	LAB_MACHINE=qemu LAB_SUITE=trixie $(INTEGRATION) $(PYTEST_ARGS)
	for release in 16 18 20; do \
		CEPH=$$release tests/tools/bootstrap ceph; \
		CEPH=$$release $(PARALLEL) tests/integration/on_ceph $(PYTEST_ARGS); \
	done

.PHONY: crash-matrix
crash-matrix: lab-needs  ## interrupt each operation at each step, and write docs/power-cuts.md (it can be resumed)
	python -m tests.crash --every $(or $(EVERY),step) $(OPERATIONS)

.PHONY: fuzz
fuzz: lab-needs  ## give hosts a past by chance, then try our tasks on them, for MINUTES
	python -m pytest -n 2 tests/unit -m hypothesis --hypothesis-profile=default
	python -m tests.fuzz --minutes $(or $(MINUTES),20)

.PHONY: bench
bench: lab-needs ceph-needs  ## time the modules side by side with their peers
	python -m tests.bench
	python -m tests.bench.maas
	python -m tests.bench.rbd

.PHONY: lab
lab: lab-needs  ## a shell inside the virtual machine
	python -m tests.lab up
	python -m tests.lab ssh

.PHONY: awx-install awx-uninstall
awx-install: needs  ## load templates, workflows and teams into the AWX of CONTROLLER_HOST (see playbooks/awx/README.md)
	ansible-playbook playbooks/awx/install.yml $(addprefix -e @,$(SITE))
awx-uninstall: needs  ## take these away again
	ansible-playbook playbooks/awx/uninstall.yml $(addprefix -e @,$(SITE))

.PHONY: changelog
changelog: needs  ## move the changelog's fragments into the entry of the version in galaxy.yml
	antsibull-changelog release --update-existing --reload-plugins

.PHONY: requirements
requirements: needs  ## pin anew what the files requirements-*.in name
	tests/tools/pin

.PHONY: clean
clean:  ## remove what the other targets made in the checkout
	[[ ! -x .venv/bin/python ]] || for state in .lab/*/state.json; do \
		[[ ! -e $$state ]] || python -m tests.lab --name "$$(basename "$$(dirname "$$state")")" down; done
	rm -rf .venv .bootstrap.lock .ansible .cache .coverage .hypothesis .lab .mypy_cache .pytest_cache .ruff_cache site tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: needs demo-needs lab-needs ceph-needs cinder-needs browser-needs
needs:
	@tests/tools/bootstrap
demo-needs:
	@tests/tools/bootstrap demo lab
lab-needs:
	@tests/tools/bootstrap lab
ceph-needs:
	@tests/tools/bootstrap ceph
cinder-needs:
	@tests/tools/bootstrap ceph cinder
browser-needs:
	@tests/tools/bootstrap browser
