# Everything a newcomer needs: `make testdrive`, `make test`, `make run`.
PYTHON ?= python3
BIN := .venv/bin
MARK := .venv/.installed
SPARK := .venv-spark/bin
PURE := tests/rules tests/words tests/webhooks tests/config tests/job_definitions tests/pictures

.PHONY: testdrive test test-pure test-long test-spark run check fmt lint lint-style lint-format lint-types lint-imports lock schema commands screenshots clean bench-intake bench-waiting bench-pushes bench-outage bench-sync bench-promotions bench-stand-ins shuffles chaos

testdrive: $(MARK)  ## play the whole story on this machine; KEEP=1 leaves it running
	$(BIN)/python -m bot testdrive $(if $(KEEP),--keep)

test: $(MARK) lint  ## everything CI checks, but the test drive; on PostgreSQL too where SIGNALMAN_TEST_POSTGRESQL names one
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(MARK)  ## what can be found without running anything
	@$(MAKE) --no-print-directory --output-sync --jobs lint-style lint-format lint-types lint-imports

lint-style: ; $(BIN)/ruff check .
lint-format: ; $(BIN)/ruff format --check .
lint-types: ; $(BIN)/mypy
lint-imports: ; $(BIN)/lint-imports --no-logo

test-pure: $(MARK)  ## what is decided and said from facts alone: seconds, no server
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(PURE)

test-long: $(MARK)  ## the tests with 25 times as many examples of every property
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-profile=thorough --timeout=3600

test-spark: .venv-spark/.installed  ## the scoring project on a real Spark, in local mode; brings Java where it may; minutes
	@command -v java >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless; \
		else echo "Spark needs Java 17 or 21. On Debian: sudo apt-get install default-jre-headless" >&2; exit 1; fi
	$(SPARK)/python -m pytest tests/projects/spark

chaos: $(MARK)  ## kill the bot while people work, in bad weather; SEED=1 EVENTS=2000 KILLS=200 DATABASE=; up to 25 minutes each
	@$(BIN)/python -m tests.chaos.on_every_database --seed $(or $(SEED),1) --events $(or $(EVENTS),2000) \
		--kills $(or $(KILLS),200) $(if $(DATABASE),--database '$(DATABASE)')

run: $(MARK)  ## the web and worker processes, with the environment of .env
	$(BIN)/honcho start

check: $(MARK)  ## both configuration files, offline
	$(BIN)/python -m bot check

fmt: $(MARK)
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

schema: $(MARK)  ## the JSON Schemas that editors use
	$(BIN)/python -m bot check --write-schemas

bench-intake: $(MARK)  ## how fast webhooks are stored, with and without a long history
	$(BIN)/python bench/intake.py

bench-waiting: $(MARK)  ## what 5,000 waiting subjects cost a worker; SECONDS=0.1 makes each pass take as long
	$(BIN)/python bench/waiting.py $(SECONDS)

bench-pushes: $(MARK)  ## twenty pushes in a row: how soon the runs for older ones are stopped
	$(BIN)/python -m bench.pushes

bench-outage: $(MARK)  ## neighbours are away for MINUTES=10, three times; KINDS="503 hangs databricks"
	$(BIN)/python -m bench.outage $(or $(MINUTES),10) $(KINDS)

bench-sync: $(MARK)  ## how long a merge takes to be in the workspace, beside four databricks-cli commands; RUNS=3 CLIENT=databricks-sdk
	@RUNS=$(RUNS) CLIENT=$(CLIENT) SEED_FILES=$(SEED_FILES) $(BIN)/python -m bench.sync

bench-promotions: $(MARK)  ## from a promotion to its job and its reply, and back again, at 50 ms a call; N=40
	$(BIN)/python -m bench.promotions $(or $(N),40)

bench-stand-ins: $(MARK)  ## how soon the stand-ins are up, and how soon they answer
	$(BIN)/python -m bench.stand_ins

shuffles: $(MARK)  ## shuffled orders of events that have to end in the same world; REPLAYS=1000 LIVES=200, minutes
	$(BIN)/python -m bench.shuffles $(or $(REPLAYS),1000) $(or $(LIVES),200)

commands: $(MARK)  ## docs/commands.md, from the table of commands
	$(BIN)/python -m bot mlops help --markdown > docs/commands.md

screenshots: $(MARK)  ## docs/report-*.png: the reports of docs and README, as a browser shows them
	$(BIN)/python -m tests.browser.screenshots

lock:  ## compile requirements*.in into full pins
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements-spark.in -o requirements-spark.txt

$(MARK): requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Signalman needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements-dev.txt
	@touch $(MARK)

.venv-spark/.installed: requirements-spark.txt
	$(PYTHON) -m venv .venv-spark
	$(SPARK)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(SPARK)/uv pip install --quiet --compile-bytecode --python $(SPARK)/python -r requirements-spark.txt
	@touch $@

clean:
	rm -rf .venv .venv-spark var .pytest_cache .mypy_cache .ruff_cache .hypothesis
