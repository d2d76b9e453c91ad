# Two commands: `make run` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIP ?=
TRANSPORT ?=
STAMP := $(VENV)/.stamp-dev

# With AGAIN=1 the tests that failed get one more run by themselves, and must pass it.
AGAIN ?=
tested = $(1)$(if $(AGAIN), || $(1) --last-failed --last-failed-no-failures none)

.PHONY: run test conformance check format bench bench-voice load sip soak setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/setup
	./scripts/setup "$(PYTHON)" "$(VENV)"
	touch $@

run: $(STAMP)
	$(BIN)/vivavoce demo $(if $(CLIP),--clip "$(CLIP)")

test: $(STAMP)
	./scripts/setup-test "$(PYTHON)"
	$(call tested,$(BIN)/pytest)
	[ ! -x .venv-pocket/bin/pytest ] || $(call tested,.venv-pocket/bin/pytest tests/tts/engines/test_pocket.py)
	$(call tested,$(BIN)/pytest --store postgresql tests/acceptance tests/server/test_kill.py tests/server/test_crowd.py)

conformance: $(STAMP)
	./scripts/setup-conformance "$(PYTHON)"
	VIVAVOCE_OPENAPI_EXAMPLES=60 $(BIN)/pytest tests/conformance

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python -m tests.bench

bench-voice: $(STAMP)
	./scripts/setup-bench-voice "$(VENV)"
	$(BIN)/python -m tests.bench.voice
	$(BIN)/python -m tests.bench.watermark

soak: $(STAMP)
	$(BIN)/python -m loadtest.soak

sip: $(STAMP)
	$(BIN)/pytest tests/sip

load: $(STAMP)
	$(BIN)/python -m loadtest $(if $(TRANSPORT),--transport $(TRANSPORT))

clean:
	rm -rf $(VENV) out
