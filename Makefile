# Set-up included: `make run`, `make test`, `make check` are all a fresh machine needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check --require-hashes
# Linters load the settings too: on a try-out data folder of their own.
TRIED_OUT := PORTAL_LOCAL=1 PORTAL_DATA=build/check

.PHONY: run test check fuzz bench bench-staff soak lock sbom vulnerabilities advisories asvs clean

run: .venv/.run
	@exec $(BIN)/python manage.py serve

test: .venv/.test
	@$(BIN)/python -m tests.everywhere $(ARGS)

check: .venv/.test
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(TRIED_OUT) $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --check --quiet templates
	$(BIN)/djlint --lint --quiet templates
	$(TRIED_OUT) $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m requirements.vulnerabilities
	@echo "manage.py check --deploy, as a practice would run it"
	@SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))') \
		ALLOWED_HOSTS=portal.example PORTAL_URL=https://portal.example PORTAL_DATA=build/check \
		PORTAL_SECURITY_CONTACT=mailto:security@portal.example \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# 20,000 odd requests on each database, in a quarter of an hour. ARGS="--requests 2000 --seed 7" sends fewer,
# the same each time.
fuzz: .venv/.test
	@$(BIN)/python -m tests.fuzz $(ARGS)

bench: .venv/.test
	@$(BIN)/python -m tests.bench

# Takes some minutes: fills a database with 1,000,000 members first. ARGS="--members 100000" takes fewer.
bench-staff: .venv/.test
	@$(BIN)/python -m tests.bench.staff_lists $(ARGS)

# Families and staff against a plain model, with kills, on both databases. Takes an hour;
# ARGS="--runs 20 --minutes 10 --database sqlite --seed 1" takes less.
soak: .venv/.test
	@$(BIN)/python -m tests.machine $(ARGS)

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Kinchart needs Python 3.11 or newer; name one with PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv

.venv/.run: requirements/run.txt | .venv/bin/pip
	@echo "Setting up .venv ..."
	@$(PIP) -r requirements/run.txt
	@touch $@

.venv/.test: requirements/test.txt .venv/.run
	@echo "Setting up the test tools ..."
	@$(PIP) -r requirements/test.txt
	@touch $@

# After a change to the dependencies in pyproject.toml.
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: .venv/.test
	$(LOCK) -o requirements/run.txt pyproject.toml
	$(LOCK) --extra s3 -c requirements/run.txt -o requirements/s3.txt pyproject.toml
	$(LOCK) --extra test --extra s3 -c requirements/run.txt -o requirements/test.txt pyproject.toml

# What a portal runs with, as CycloneDX 1.6, in build/sbom.json.
sbom: .venv/.run
	@$(BIN)/python -m requirements.sbom

# Compares requirements/*.txt with a dated copy of what is known; needs no network.
vulnerabilities: .venv/.run
	@$(BIN)/python -m requirements.vulnerabilities --old-is-wrong

# Renews that copy. Without a network: FROM=/media/all.zip, as OSV gives it out.
advisories: .venv/.run
	@$(BIN)/python -m requirements.vulnerabilities --renew $(FROM)

# How the portal stands against OWASP ASVS 5.0 level 2. Says what is open; ARGS=--all prints every line.
asvs: .venv/.run
	@$(BIN)/python -m tests.asvs $(ARGS)

clean:
	rm -rf .venv build
