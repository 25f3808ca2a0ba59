# Everything a person runs is here, and CI runs the same.
#   make demo    a fresh machine to painted pictures and the studio: PHOTO=my.jpg for your own, STYLE=... for another style,
#                ANY_PAINTING=1 for the style of any painting as well, which takes torch
#   make demo-stop   end the studio that make demo left running, which otherwise ends after an hour
#   make test    install what the tests need, and run them all
#   make image-test  build the image that serves on processors, and see that it does what docs/images.md promises
#   make soak    mixed load with faults for half an hour: MINUTES=5 for less, REPORT=docs/reliability.md to keep the report
#   make lint    formatting, lint, types, which part may import which, and `make proto`
#   make proto   lint the protos and find changes that would break a caller, with buf, which npm brings
#   make proto-release  make the API as it is the one that must not be broken
#   make node    build the client for Node, where Node 20 and npm are; `make test` does it by itself
#   make web     build the studio's page into the server, where Node 20 and npm are; needed after a change of it alone

PYTHON ?= python3
VENV ?= .venv
TESTERS ?= 3# processes that test: many tests wait, for a server or a deadline, so one more than there are cores
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt hatch_build.py $(wildcard proto/impasto/*/*.proto)
NPM := $(shell command -v npm)
BUF := proto/node_modules/.package-lock.json# which npm writes last
NODE := clients/node/dist/index.js
NODE20 := $(if $(NPM),$(shell node --print 'parseInt(process.versions.node) < 20 ? "" : "yes"' 2>/dev/null))
NODE_SOURCES := $(wildcard clients/node/src/*.ts clients/node/*.json clients/node/buf.gen.yaml) proto/impasto/v1/stylizer.proto
WEB := clients/web/node_modules/.package-lock.json
WEB_SOURCES := clients/web/package.json clients/web/package-lock.json clients/web/buf.gen.yaml proto/impasto/v1/stylizer.proto
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo demo-stop test image-test soak lint proto proto-release node web format clean

demo: $(VENV)/.demo $(if $(ANY_PAINTING),$(VENV)/.optimize)
	$(BIN)/python -m scripts.demo --studio $(if $(PHOTO),--photo "$(PHOTO)") $(if $(STYLE),--style "$(STYLE)")

demo-stop: $(VENV)/.demo
	$(BIN)/python -m scripts.studio stop

test: $(VENV)/.dev $(if $(NODE20),$(NODE) $(WEB))
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
	@$(MAKE) --no-print-directory proto

proto: $(VENV)/.dev $(if $(NPM),$(BUF))
	$(if $(NPM),$(BIN)/python -m scripts.proto_check,@echo "no npm here, which brings buf: the protos are not checked" >&2)

proto-release: $(VENV)/.dev $(BUF)
	$(BIN)/python -m scripts.proto_check release

node: $(if $(NODE20),$(NODE))
	$(if $(NODE20),,@echo "no npm here, or no Node 20: the client for Node is not built" >&2)

web: $(WEB)
	cd clients/web && npm run build

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo core/impasto/v1 core/impasto/inference clients/node/dist clients/node/src/gen clients/web/src/gen $(WEB)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Impasto needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version); set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(BIN)/pip
	$(INSTALL) '.[demo]'
	touch $@

$(VENV)/.optimize: $(VENV)/.demo
	$(INSTALL) '.[demo,optimize]'
	touch $@

$(VENV)/.dev: $(SOURCES) | $(BIN)/pip
	$(INSTALL) '.[dev]'
	touch $@ $(VENV)/.demo

$(BUF): proto/package-lock.json
	cd proto && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(NODE): $(NODE_SOURCES) $(BUF) | $(VENV)/.dev
	$(BIN)/python -m scripts.protos build/node-protos
	cd clients/node && npm ci --ignore-scripts --no-audit --no-fund && rm -rf dist && npm run build
	touch $@

$(WEB): $(WEB_SOURCES) | $(VENV)/.dev
	$(BIN)/python -m scripts.protos build/protos
	cd clients/web && npm ci --ignore-scripts --no-audit --no-fund && npm run generate
	touch $@
