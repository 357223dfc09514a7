# The graph: notebook -> executed notebook -> next notebook. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PRESET ?= demo
VENV ?= .venv
# `make paper PY=python` uses the environment that is active (conda, say) instead of making .venv.
PY ?= $(VENV)/bin/python
# `make paper DATA=/path` reads data sets below another folder, `LFW=/path/to/lfw` one that lies elsewhere.
$(foreach set,DATA LFW DIVEFACE CFEE CELEBA FAIRFACE CREMAD MANIFEST,$(if $(filter command,$(origin $(set))),\
  $(eval export BLINDLIB_$(set) := $(if $(filter /% ~%,$($(set))),,$(CURDIR)/)$($(set)))))
export PYTHONHASHSEED := 0
export CUBLAS_WORKSPACE_CONFIG := :4096:8
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export OMP_WAIT_POLICY := PASSIVE

STAMP := $(if $(filter $(VENV)/bin/python,$(PY)),$(VENV)/.installed)
# `make paper SETTINGS="seeds=[0, 1]; rotations=2"` changes settings of the preset; such a run has folders of its own.
P := --preset $(PRESET) $(if $(SETTINGS),-p '$(subst ','\'',$(SETTINGS))')
NAME := $(if $(SETTINGS),$(shell $(PY) -m blindlib name $(P) 2>/dev/null),$(PRESET))
BUILD := $(abspath $(or $(BLINDLIB_BUILD),build))/$(NAME)
FIGURES := $(or $(BLINDLIB_FIGURES),figures)/$(NAME)

.PHONY: help setup paper stages lab data lint test unit pythons notebooks expected check settle ladder backbone bench readme site clean

help:  ## show this list
	@echo "make TARGET [PRESET=demo|smoke|open|paper|paper+dlib|…] [DATA=/path] [LFW=/path/to/lfw] [-j2]"
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## make the environment in .venv (the other targets do it when it is missing)

# macOS may have no sha256sum; both print the same.
SUM := $(shell command -v sha256sum || echo shasum -a 256)

# The environment is made again when the lock's content changes, not when a `git pull` rewrites it.
$(VENV)/.installed: requirements.lock scripts/setup.sh
	@cat $^ | $(SUM) | cmp -s - $@ || bash scripts/setup.sh $(VENV)
	@cat $^ | $(SUM) > $@

paper: $(STAMP)  ## run every notebook that is out of date; tables and figures go to figures/PRESET
	@$(PY) -m blindlib inputs $(P)
	@$(MAKE) --no-print-directory stages

stages: $(FIGURES)/run.json
	@echo "$(FIGURES): $$(ls $(FIGURES) | wc -l) files up to date; read $(FIGURES)/claims.md, table1.md, table2.md"

# `blindlib inputs` writes the .inputs files: what each stage depends on, by content. It stops here without data.
STAGES := $(patsubst notebooks/%.ipynb,$(BUILD)/%,$(wildcard notebooks/0*.ipynb))
$(STAGES:=.inputs): ;
$(STAGES:=.ipynb): %.ipynb: %.inputs
	@$(PY) -m blindlib run notebooks/$(@F) $(P)
$(BUILD)/02_baseline.ipynb: $(BUILD)/01_data_prep.ipynb
$(BUILD)/03_sensitivenets.ipynb $(BUILD)/04_lntl.ipynb: $(BUILD)/02_baseline.ipynb
$(BUILD)/05_probes.ipynb: $(BUILD)/03_sensitivenets.ipynb $(BUILD)/04_lntl.ipynb
$(BUILD)/06_celeba_fairness.ipynb: $(BUILD)/05_probes.ipynb
$(FIGURES)/run.json: $(BUILD)/06_celeba_fairness.ipynb
	@$(PY) -m blindlib record $(P)

lab: $(STAMP)  ## open the notebooks in JupyterLab
	@$(PY) -m jupyter lab

data: $(STAMP)  ## show which data sets are here and how to get the others
	@$(PY) -m blindlib data status

lint: $(STAMP)  ## ruff on code and notebooks
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

# Two processes on two cores: more threads would only wait for each other.
TESTS = OMP_NUM_THREADS=1 $(PY) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

unit: $(STAMP)  ## the unit tests alone, two minutes
	@$(TESTS) -m "not slow and not realdata and not external" tests

pythons:  ## the unit tests on every Python of 3.11, 3.12, 3.13 that is here; each gets the lock, in build/
	@for version in 3.11 3.12 3.13; do \
	  if python$$version -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "python$$version: $$(python$$version --version)"; venv=build/python$$version; \
	    PYTHON=python$$version $(MAKE) --no-print-directory unit VENV=$$venv PY=$$venv/bin/python; \
	  else echo "python$$version: skipped: no such interpreter with the module venv is on the PATH"; fi; \
	done

test: $(STAMP)  ## lint and all tests: units, whole smoke runs, kills, nbval on every notebook
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(TESTS) --durations=15 tests

STRIP = --keep-output --keep-count --extra-keys "metadata.language_info cell.metadata.execution"
notebooks: $(STAMP)  ## after `make paper`: store the run's outputs in notebooks/; nothing is executed
	@$(PY) -m blindlib store $(P)
	@$(PY) -m nbstripout $(STRIP) notebooks/0*.ipynb

expected: $(STAMP)  ## run preset smoke and keep what its checked cells print, for nbval to compare with
	@$(MAKE) --no-print-directory paper PRESET=smoke SETTINGS=
	@$(PY) scripts/expected.py $(dir $(BUILD))smoke tests/expected/smoke.json

check: $(STAMP)  ## run the preset afresh beside build/ and say where it differs from the committed figures
	@rm -rf build/check
	@BLINDLIB_BUILD=build/check BLINDLIB_FIGURES=build/check/figures $(MAKE) --no-print-directory paper
	@name=$$($(PY) -m blindlib name $(P)); $(PY) -m blindlib compare figures/$$name build/check/figures/$$name

settle: $(STAMP)  ## after `make paper`: train its heads twice as long, say which cells of Table 1 move
	@$(PY) -m blindlib settle $(P)

ladder: $(STAMP)  ## after `make paper`: every attacker against every representation
	@$(PY) -m blindlib ladder $(P)

backbone: $(STAMP)  ## train the default backbone again (a quarter of an hour); rewrites blindlib/backbones/weights/
	@$(PY) scripts/train_compactnet.py

bench: $(STAMP)  ## how much faster banks of heads train than heads one by one: ratios, no verdict
	@$(PY) scripts/bench.py

readme: $(STAMP)  ## write the numbers of README.md and docs/ from figures/
	@$(PY) scripts/readme.py

site: $(STAMP)  ## the executed notebooks, tables and texts as a static site, in build/site
	@$(PY) docs/make_site.py $(FIGURES) $(BUILD) $(dir $(BUILD))site
	@echo "$(dir $(BUILD))site/index.html"

clean:  ## remove build/ (executed notebooks, embeddings, heads) and nothing else
	rm -rf build
