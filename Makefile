# Two commands do it all: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
UV := $(BIN)/uv
# uv does not read pip's variable; elsewhere uv itself knows where the CPU builds of torch are.
export UV_FIND_LINKS := $(PIP_FIND_LINKS)
export HF_HUB_OFFLINE := 1
# Threads that wait for each other sleep; spinning ones starve whatever else runs on the same cores.
export OMP_WAIT_POLICY := PASSIVE
# Without .pyc files every start of vLLM, Airflow and the steps imports from source, which doubles it.
unexport PYTHONDONTWRITEBYTECODE
PACKAGE := tasks/ratchet
CODE := tasks dags tests containers

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status clean lint check test-unit test-steps test-e2e test bench-gate bench-probe bench-lora bench-promotion bench-screens bench-drift bench-intake bench-canaries bench-sight fuzz-intake gameday pictures cluster-test cluster-images images lock

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

$(UV):
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==0.13.9

$(BIN)/ratchet: containers/airflow/requirements.cpu.txt pyproject.toml | $(UV)
	$(UV) pip install --quiet --python .venv --no-deps -r containers/airflow/requirements.cpu.txt
	$(UV) pip install --quiet --python .venv --no-deps --editable .
	@touch $@

$(BIN)/pytest: tests/requirements.txt $(BIN)/ratchet
	$(UV) pip install --quiet --python .venv --no-deps -r tests/requirements.txt
	@touch $@

setup: $(BIN)/ratchet ## make the environments: one for the command line and Airflow, one per image
	$(BIN)/python -m ratchet.local.environments

demo: setup ## one whole release, from a data file to an answering endpoint (DATA=file.csv for your own)
	$(BIN)/ratchet demo $(if $(DATA),--data '$(DATA)') $(DEMO_OPTIONS)

up: setup ## start the platform
	$(BIN)/ratchet up

down: ## stop the platform; nothing is lost
	$(BIN)/ratchet down

status: ## what runs and what is in production
	$(BIN)/ratchet status

clean: ## stop the platform and delete its folder
	$(BIN)/ratchet clean

lint: $(BIN)/pytest ## style, types, architecture
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

test-unit: $(BIN)/pytest
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: lint test-unit ## what needs no step's environment and no platform

test-steps: $(BIN)/pytest setup ## each step in its own image's environment
	$(BIN)/python tests/run_steps.py

test-e2e: $(BIN)/pytest setup ## one platform, one release, every end-to-end assertion on it
	$(BIN)/pytest tests/e2e

test: check test-steps test-e2e ## everything, from nothing

TRIALS ?= 2000
bench-gate: $(BIN)/pytest ## how often the gate errs, by simulation: the tables of docs/gate-errors.md
	$(BIN)/python tests/benchmarks/gate.py --trials $(TRIALS)

COMPARISONS ?= 50
bench-probe: $(BIN)/pytest setup ## how much noise stage's load probe has, on two engines of one model: docs/serving.md
	$(BIN)/python -m tests.benchmarks.probe --comparisons $(COMPARISONS)

STARTS ?= 3
bench-lora: $(BIN)/pytest setup ## one candidate merged and as adapter on its base: bytes, starts, latency (docs/serving.md)
	$(BIN)/python -m tests.benchmarks.lora --starts $(STARTS)

SWITCHES ?= 20
ROLLBACKS ?= 5
STREAMS ?= 8
bench-promotion: $(BIN)/pytest setup ## what a switch costs users, and steps killed at every moment: docs/promotion.md
	$(BIN)/python -m tests.benchmarks.promotion --switches $(SWITCHES) --rollbacks $(ROLLBACKS) --streams $(STREAMS)

SHARED_DATA ?= ../shared/data
bench-screens: $(BIN)/pytest setup ## what each screen of intake finds and how fast, on banking77: docs/data.md
	.venvs/data/bin/python -m tests.benchmarks.screens $(SHARED_DATA) "$$(ls -d .ratchet/cache/ratchet-tiny-* | head -1)"

bench-drift: setup ## what the embedding distance of drift tells, falsely and rightly, and how fast it is: docs/data.md
	.venvs/evaluate/bin/python -m tests.benchmarks.drift $(SHARED_DATA) "$$(ls -d .ratchet/cache/ratchet-tiny-* | head -1)"

PAIRS ?= 2000
ROUNDS ?= 30
bench-sight: $(BIN)/pytest setup ## what traces and metrics cost requests and steps, with them and without in turn: docs/sight.md
	$(BIN)/python -m tests.benchmarks.sight --pairs $(PAIRS) --rounds $(ROUNDS)

BIG ?= 0
bench-intake: setup ## what reading an upload costs, and its memory at 10 k to 1 M rows (BIG=10000000 for more): docs/data.md
	.venvs/data/bin/python -m tests.benchmarks.intake --big $(BIG)

REPEATS ?= 1,4,16,64
bench-canaries: setup ## how well a fine-tune knows made-up secrets, by how often each is planted: docs/canaries.md
	$(BIN)/python -m tests.benchmarks.canaries --repeats $(REPEATS)

FUZZ ?= 20000
fuzz-intake: setup ## FUZZ broken and odd uploads: each is read or refused in a sentence, none crashes or hangs
	PYTHONPATH=.venvs/pytest .venvs/data/bin/python -m tests.benchmarks.fuzz_intake --inputs $(FUZZ)

pictures: $(BIN)/pytest ## the pictures of docs/dashboards, of two invented weeks
	$(BIN)/python -m tests.pictures docs/dashboards

HURRY ?= 10
gameday: $(BIN)/pytest setup ## faults on a running platform: alerts, runbooks as written, users (HEALTHY=60: minutes of healthy releases)
	$(BIN)/python -m tests.gameday $(if $(HEALTHY),--healthy $(HEALTHY),--hurry $(HURRY) $(if $(FAULTS),--faults $(FAULTS)))

images: | $(UV) ## build every image with docker, podman or buildah (IMAGE_OPTIONS="--device cuda --prefix registry/ratchet --push")
	$(PYTHON) containers/build.py $(IMAGE_OPTIONS)

cluster-images: images ## the images of the product, and those that only the cluster tests need
	$(BIN)/python -m tests.cluster.images $(IMAGE_OPTIONS)

cluster-test: $(BIN)/pytest setup ## the whole release as pods on the cluster that KUBECONFIG names (docs/cluster.md)
	$(BIN)/pytest tests/cluster

COMPILE := $(UV) pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url --no-emit-find-links
lock: | $(UV) ## pin every image's packages anew
	for image in airflow data train evaluate convert serve ops; do \
	  overrides=containers/$$image/overrides.txt; \
	  $(COMPILE) --constraint containers/constraints.cpu.txt $$(test -f $$overrides && echo --override $$overrides) \
	    containers/$$image/requirements.in --output-file containers/$$image/requirements.cpu.txt || exit 1; \
	done
	for input in train/requirements.in evaluate/requirements.cuda.in serve/requirements.cuda.in; do \
	  env -u UV_FIND_LINKS $(COMPILE) containers/$$input \
	    --output-file containers/$$(dirname $$input)/requirements.cuda.txt || exit 1; \
	done
	$(COMPILE) tests/requirements.in --output-file tests/requirements.txt
