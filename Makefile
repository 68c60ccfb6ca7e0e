# Tensor to Fleet. `make help` lists what there is to make.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python

# What the built book is made from: one file newer than the stamp, and it is built again. Folders are
# listed too, since they are newer when a file in them was removed (as book/., since `book` is a target
# above). Make cannot handle spaces in names.
FIND := -not -name '*.pyc' -not -name __pycache__ -not -path '*/.[!/]*' -not -path '* *'
PAGES := $(shell find book/. notebooks/. benchmarks/results/. $(FIND) -not -path 'book/./_*') \
	$(shell find src tests/exercises -type f $(FIND))
LOOK := _config.yml _toc.yml $(shell find book/_ext book/_static -type f $(FIND))

.DEFAULT_GOAL := help
.PHONY: help book html test check lint unit pyodide labs site lab notebooks bench gpu mutants lock clean

help: ## show this list
	@echo "Tensor to Fleet: an executable book on LLM systems"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "Variables: PORT=8000 (make book), PYTHON=python3 (what .venv is made with),"
	@echo "           CHROMIUM=path (the browser of make test)"

book: html ## build the book and serve it at http://127.0.0.1:PORT
	@$(PY) tools/serve.py --port $(PORT)

html: _build/book.stamp ## build the book in _build/html
	@echo "The book is in _build/html"

test: browser lint unit pyodide labs site ## run every check: lint, types, tests, labs, freshness, the built book
	@echo "All checks passed."

check: lint fresh ## the quick subset for daily work
	@echo "--- quick tests"
	@$(PY) -m pytest tests -m "not slow and not site" -q

lint: $(VENV)/installed.stamp ## ruff and mypy
	@echo "--- ruff"
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@echo "--- mypy"
	@$(PY) -m mypy

unit: $(VENV)/installed.stamp ## unit and property tests
	@echo "--- unit and property tests"
	@$(PY) -m pytest tests -m "not site"

pyodide: node_modules/.package-lock.json ## the unit tests of what pages run, in a browser's Python
	@echo "--- unit tests of what the pages run, under Pyodide"
	@$(PY) tools/pyodide_tests.py

labs: fresh ## run every lab again and compare its outputs with the stored ones
	@echo "--- labs, compared strictly with their stored outputs"
	@CUDA_VISIBLE_DEVICES= $(PY) -m pytest --nbval --nbval-current-env \
		--nbval-sanitize-with notebooks/sanitize.cfg -W default notebooks

.PHONY: browser fresh
browser: # asked first, since the tests that need one come last
	@$(PYTHON) tools/browser.py >/dev/null

fresh: $(VENV)/installed.stamp
	@echo "--- are the labs' stored outputs those of the code as it stands?"
	@$(PY) tools/labs.py check

site: html ## open the built book in a browser and check every page
	@echo "--- the built book, in $$($(PY) tools/browser.py)"
	@$(PY) -m pytest tests/site -m site

lab: $(VENV)/installed.stamp ## open the labs in JupyterLab
	@$(PY) -m jupyterlab --notebook-dir notebooks

notebooks: $(VENV)/installed.stamp ## execute the labs and store their outputs
	@$(PY) tools/labs.py execute

bench: $(VENV)/installed.stamp ## run the benchmarks and print their tables
	@for file in $(BENCHMARKS); do $(PY) $$file || exit 1; done

gpu: $(VENV)/installed.stamp ## on a CUDA machine: kernels, labs and benchmarks there, recorded
	@$(PY) -c "import sys, torch; torch.cuda.is_available() or sys.exit('make gpu needs a CUDA GPU that torch can see: it sees none')"
	@$(PY) -m pytest tests -m "not site"
	@$(PY) tools/labs.py execute --copies "$$($(PY) benchmarks/records.py)"
	@for file in $(BENCHMARKS); do $(PY) $$file --record || exit 1; done

mutants: $(VENV)/installed.stamp ## plant bugs one at a time, and see that the tests find each
	@$(PY) tools/mutants.py

lock: $(VENV)/installed.stamp ## make requirements.txt anew from the bounds in pyproject.toml
	@$(PY) tools/lock.py

clean: ## remove the built book; `rm -rf .venv node_modules` removes the rest
	rm -rf _build

BENCHMARKS := $(filter-out $(addprefix benchmarks/,cells.py harness.py quality.py records.py report.py scale.py turns.py),$(wildcard benchmarks/*.py))

# The virtual environment, with everything that requirements.txt pins and the package itself.
$(VENV)/installed.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 or newer is needed, and this is ' + sys.version.split()[0] + ': name another with PYTHON=...')"
	@echo "--- making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "--- installing the packages that requirements.txt pins (some minutes the first time)"
	@$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	@echo "--- installing the package itself"
	@$(PY) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Mathematics and fonts, by package-lock.json.
node_modules/.package-lock.json: package.json package-lock.json $(VENV)/installed.stamp
	@echo "--- fetching the npm parts of package-lock.json"
	@$(PY) tools/npm_install.py
	@touch $@

# Sphinx reads only pages that changed. Where the look of all pages changed, or the last build failed or
# was interrupted (its warnings would not be said again), it starts from nothing.
_build/look.stamp: $(LOOK) $(VENV)/installed.stamp
	@rm -rf _build
	@mkdir -p _build
	@touch $@

_build/book.stamp: $(PAGES) _build/look.stamp node_modules/.package-lock.json
	@echo "--- building the book"
	@if [ -e _build/unfinished ]; then rm -rf _build/html _build/.doctrees; fi
	@touch _build/unfinished
	@$(VENV)/bin/jupyter-book build . --warningiserror --nitpick --keep-going --quiet \
		>_build/build.log || { tail -n 30 _build/build.log; exit 1; }
	@rm _build/unfinished
	@touch $@
