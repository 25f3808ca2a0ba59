# Everything a person runs is here, and CI runs the same.
#   make demo    a fresh machine to a painted picture: PHOTO=my.jpg for your own, STYLE=... for another style
#   make test    install what the tests need, and run them all
#   make image-test  build the image that serves on processors, and see that it does what docs/images.md promises
#   make soak    mixed load with faults for half an hour: MINUTES=5 for less, REPORT=docs/reliability.md to keep the report
#   make lint    formatting, lint, types, and which part may import which

PYTHON ?= python3
VENV ?= .venv
TESTERS ?= 3# processes that test: many tests wait, for a server or a deadline, so one more than there are cores
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt hatch_build.py $(wildcard proto/impasto/v1/*.proto)
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test image-test soak lint format clean

demo: $(VENV)/.demo
	$(BIN)/python scripts/demo.py $(if $(PHOTO),--photo "$(PHOTO)") $(if $(STYLE),--style "$(STYLE)")

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile || \
		{ echo "What failed beside other tests is run once more, alone:"; \
		OMP_NUM_THREADS=1 $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

image-test: $(VENV)/.dev
	$(BIN)/python -m pytest --capture=no deploy/docker/image_test.py

soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(REPORT),--report $(REPORT))

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo core/impasto/v1

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Impasto needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version); set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(BIN)/pip
	$(INSTALL) '.[demo]'
	touch $@

$(VENV)/.dev: $(SOURCES) | $(BIN)/pip
	$(INSTALL) '.[dev]'
	touch $@ $(VENV)/.demo
