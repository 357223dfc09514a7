# The graph: notebook -> executed notebook -> next notebook. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# What comes from outside is data: make takes the command line's and these variables' text as it stands, expanding
# nothing, and no rule or recipe holds any of it: recipes read it from the environment, "$$NAME".
$(foreach name,$(.VARIABLES),$(if $(findstring $$,$(name)),,$(if $(filter command,$(firstword $(origin $(name)))),\
  $(eval override $(name) := $$(value $(name)))$(eval export $(name)))))
override PRESET := $(or $(value PRESET),demo)
# `make paper SETTINGS="seeds=[0, 1]; rotations=2"` changes settings of the preset; such a run has folders of its own.
override SETTINGS := $(value SETTINGS)
override VENV := $(or $(value VENV),.venv)
# `make paper PY=python` uses the environment that is active (conda, say) instead of making .venv.
override PY := $(or $(value PY),$(VENV)/bin/python)
export PRESET SETTINGS VENV PY
override P := --preset "$$PRESET" $(if $(SETTINGS),-p "$$SETTINGS")
# `make paper DATA=/path` reads data sets below another folder, `LFW=/path/to/lfw` one that lies elsewhere.
$(foreach set,DATA LFW DIVEFACE CFEE CELEBA FAIRFACE CREMAD MANIFEST,$(if $(filter override,$(origin $(set))),\
  $(eval export BLINDLIB_$(set) := $$($(set)))))
export PYTHONHASHSEED := 0
export CUBLAS_WORKSPACE_CONFIG := :4096:8
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export OMP_WAIT_POLICY := PASSIVE

# Elsewhere another checkout's blindlib, or an installed one, would run: into a build folder of its own.
$(if $(wildcard notebooks/01_data_prep.ipynb)$(value BLINDLIB_CHECKOUT),,$(error no checkout is here: `make -C CHECKOUT` \
  runs in its folder, `make -f` does not))

.PHONY: help setup paper run lab data lint test unit pythons long notebooks expected check settle backbone bench readme site clean

help:  ## show this list
	@echo "make TARGET [PRESET=demo|smoke|open|paper|paper+dlib|…] [DATA=/path] [LFW=/path] [MANIFEST=/path]"
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' Makefile | expand -t 20

# macOS may have no sha256sum; both print the same.
override SUM := $(shell command -v sha256sum || echo shasum -a 256)

# The environment is made again when the lock's content changes, not when a `git pull` rewrites it.
setup:  ## make the environment in .venv (the other targets do it when it is missing)
	@lock() { cat requirements.lock scripts/setup.sh | $(SUM); }; \
	[ "$$PY" != "$$VENV/bin/python" ] || lock | cmp -s - "$$VENV/.installed" || \
	{ bash scripts/setup.sh "$$VENV" && lock > "$$VENV/.installed"; }

paper: setup  ## run every notebook that is out of date; tables and figures go to figures/PRESET
	@"$$PY" -m blindlib inputs $(P)
	@build=$$("$$PY" -m blindlib name --build $(P)) && { [[ ! -d "$$build" && "$${MAKEFLAGS%% *}" == *n* ]] || \
	BLINDLIB_CHECKOUT="$$PWD" exec $(MAKE) --no-print-directory -C "$$build" -f "$$PWD/Makefile" run; }

# The graph, made inside the run's folder in build/, whose path thus stands in no rule. `blindlib inputs` writes the
# .inputs files: what each stage depends on, by content. It stops there without data. `exec`: SIGTERM to make ends the run.
%.ipynb: %.inputs
	@cd "$$BLINDLIB_CHECKOUT" && exec "$$PY" -m blindlib run notebooks/$@ $(P)
02_baseline.ipynb: 01_data_prep.ipynb
03_sensitivenets.ipynb 04_lntl.ipynb: 02_baseline.ipynb
05_probes.ipynb: 03_sensitivenets.ipynb 04_lntl.ipynb
06_celeba_fairness.ipynb: 05_probes.ipynb
run: 06_celeba_fairness.ipynb
	@cd "$$BLINDLIB_CHECKOUT" && figures=$$("$$PY" -m blindlib name --figures $(P)) && \
	{ [ "$$figures/run.json" -nt "$$OLDPWD/$<" ] || "$$PY" -m blindlib record $(P); } && \
	echo "$$figures: $$(ls "$$figures" | wc -l) files up to date; read $$figures/claims.md, table1.md, table2.md"

lab: setup  ## open the notebooks in JupyterLab
	@"$$PY" -m blindlib lab

data: setup  ## show which data sets are here and how to get the others
	@"$$PY" -m blindlib data status

lint: setup  ## ruff on code and notebooks
	@"$$PY" -m ruff check . && "$$PY" -m ruff format --check .

# Two processes on two cores: more threads would only wait for each other.
override TESTS = OMP_NUM_THREADS=1 "$$PY" -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

unit: setup  ## the unit tests alone, two minutes
	@$(TESTS) -m "not slow and not realdata and not external" tests

pythons:  ## the unit tests on every Python of 3.11, 3.12, 3.13 that is here; each gets the lock, in build/
	@for version in 3.11 3.12 3.13; do \
	  if python$$version -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "python$$version: $$(python$$version --version)"; venv=build/python$$version; \
	    PYTHON=python$$version $(MAKE) --no-print-directory unit VENV=$$venv PY="$$venv/bin/python"; \
	  else echo "python$$version: skipped: no such interpreter with the module venv is on the PATH"; fi; \
	done

test: lint  ## what CI does: lint, units, whole smoke runs, a kill, nbval on every notebook
	@$(TESTS) --durations=15 tests

long: setup  ## the tests that `make test` leaves out: more kills, lost products, full disks, Ctrl-C, JupyterLab
	@BLINDLIB_LONG=1 $(TESTS) -m long tests

override STRIP = --keep-output --keep-count --extra-keys "metadata.language_info cell.metadata.execution"
notebooks: setup  ## after `make paper`: store the run's outputs in notebooks/; nothing is executed
	@"$$PY" -m blindlib store $(P)
	@"$$PY" -m nbstripout $(STRIP) notebooks/0*.ipynb

expected: setup  ## run preset smoke and keep what its checked cells print, for nbval to compare with
	@$(MAKE) --no-print-directory paper PRESET=smoke SETTINGS=
	@"$$PY" scripts/expected.py "$$("$$PY" -m blindlib name --build --preset smoke)" tests/expected/smoke.json

check: setup  ## run the preset afresh beside build/ and say where it differs from the committed figures
	@rm -rf build/check
	@$(MAKE) --no-print-directory paper BLINDLIB_BUILD=build/check BLINDLIB_FIGURES=build/check/figures
	@name=$$("$$PY" -m blindlib name $(P)) && "$$PY" -m blindlib compare "figures/$$name" "build/check/figures/$$name"

settle: setup  ## after `make paper`: train its heads twice as long, say which cells of Table 1 move
	@"$$PY" -m blindlib settle $(P)

backbone: setup  ## train the default backbone again (a quarter of an hour); rewrites blindlib/backbones/weights/
	@"$$PY" scripts/train_compactnet.py

bench: setup  ## how much faster banks of heads train than heads one by one: ratios, no verdict
	@"$$PY" scripts/bench.py

readme: setup  ## write the numbers of README.md and docs/ from figures/
	@"$$PY" scripts/readme.py

site: setup  ## the executed notebooks, tables and texts as a static site, in build/site
	@figures=$$("$$PY" -m blindlib name --figures $(P)) && build=$$("$$PY" -m blindlib name --build $(P)) && \
	site=$$(dirname "$$build")/site && "$$PY" docs/make_site.py "$$figures" "$$build" "$$site" && echo "$$site/index.html"

clean:  ## remove build/ (executed notebooks, embeddings, heads) and nothing else
	rm -rf build
