# The face of the project: `make help` lists the targets. What runs when is said in blindlib/pipeline.py.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PRESET ?= demo
# `make paper SETTINGS="seeds=[0, 1]; rotations=2"` changes settings of the preset; such a run has folders of its own.
SETTINGS ?=
VENV ?= .venv
# `make paper PY=python` uses the environment that is active (conda, say) instead of making .venv.
PY ?= $(VENV)/bin/python
P = --preset "$$PRESET" $(if $(SETTINGS),-p "$$SETTINGS")
export PRESET SETTINGS VENV PY
# `make paper DATA=/path` reads data sets below another folder, `LFW=/path/to/lfw` one that lies elsewhere.
$(foreach set,DATA LFW DIVEFACE CFEE CELEBA FAIRFACE MANIFEST,$(if $($(set)),$(eval export BLINDLIB_$(set) := $($(set)))))
export PYTHONHASHSEED := 0
export CUBLAS_WORKSPACE_CONFIG := :4096:8
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export OMP_WAIT_POLICY := PASSIVE
# Two processes on two cores: more threads would only wait for each other.
TESTS = OMP_NUM_THREADS=1 "$$PY" -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

TARGETS = paper appendix lab data test site setup clean unit lint notebooks expected check tune backbone bench readme
.PHONY: help $(TARGETS)

help:  # the list: what readers need (##), what maintainers need (###)
	@echo "make TARGET [PRESET=demo|smoke|open|paper|paper+dlib|…] [DATA=/path] [LFW=/path] [MANIFEST=/path]"
	@sed -n 's/^\([a-z]*\):.*[^#]##  *\(.*\)/  make \1\t\2/p' Makefile | expand -t 20
	@echo "for maintainers:"
	@sed -n 's/^\([a-z]*\):.*[^#]###  *\(.*\)/  make \1\t\2/p' Makefile | expand -t 20

paper: setup  ## run the notebooks that are out of date; tables and figures go to figures/PRESET
	@exec "$$PY" -m blindlib paper $(P)
appendix: setup  ## run the notebooks beyond the paper too; they go to figures/PRESET/appendix
	@exec "$$PY" -m blindlib appendix $(P)
lab: setup  ## open the notebooks in JupyterLab
	@exec "$$PY" -m blindlib lab
data: setup  ## show which data sets are here and how to get the others
	@"$$PY" -m blindlib data status
test: lint  ## what CI does: lint, units, a smoke run, nbval on every notebook
	@$(TESTS) --durations=15 tests
site: setup  ## the executed notebooks, tables and texts as a static site, in build/site
	@figures=$$("$$PY" -m blindlib name --figures $(P)) && build=$$("$$PY" -m blindlib name --build $(P)) && \
	site=$$(dirname "$$build")/site && "$$PY" docs/make_site.py "$$figures" "$$build" "$$site" && echo "$$site/index.html"
setup:  ## make the environment in .venv (the other targets do it when it is missing or the lock has changed)
	@lock() { cat requirements.lock scripts/setup.sh | { sha256sum 2>/dev/null || shasum -a 256; }; }; \
	[ "$$PY" != "$$VENV/bin/python" ] || lock | cmp -s - "$$VENV/.installed" || \
	{ bash scripts/setup.sh "$$VENV" && lock > "$$VENV/.installed"; }
clean:  ## remove build/ (executed notebooks, embeddings, heads) and nothing else
	rm -rf build

unit: setup  ### the unit tests alone
	@$(TESTS) -m "not slow and not realdata and not external" tests
lint: setup  ### ruff on code and notebooks
	@"$$PY" -m ruff check . && "$$PY" -m ruff format --check .
notebooks: setup  ### after `make paper`: store the run's outputs in notebooks/; nothing is executed
	@"$$PY" -m blindlib store $(P)
	@"$$PY" -m nbstripout --keep-output --keep-count --extra-keys "metadata.language_info cell.metadata.execution" \
	notebooks/0*.ipynb $(wildcard notebooks/appendix/A*.ipynb)
expected: setup  ### run preset smoke and keep what its checked cells print, for nbval to compare with
	@"$$PY" -m blindlib paper --preset smoke
	@"$$PY" scripts/expected.py "$$("$$PY" -m blindlib name --build --preset smoke)" tests/expected/smoke.json
check: setup  ### run the preset afresh in build/check and say where it differs from the committed figures
	@rm -rf build/check && export BLINDLIB_BUILD=build/check BLINDLIB_FIGURES=build/check/figures && \
	"$$PY" -m blindlib paper $(P) && name=$$("$$PY" -m blindlib name $(P)) && \
	"$$PY" -m blindlib compare "figures/$$name" "build/check/figures/$$name"
tune: setup  ### choose λ, rate and probe settings on development subjects, and write the table
	@exec "$$PY" scripts/tune.py
backbone: setup  ### train the default backbone again; rewrites blindlib/backbones/weights/
	@"$$PY" scripts/train_compactnet.py
bench: setup  ### how much faster banks of heads train than heads one by one: ratios, no verdict
	@"$$PY" scripts/bench.py
readme: setup  ### write the numbers of README.md and docs/ from figures/
	@"$$PY" scripts/readme.py
