# Set-up included: `make run` and `make test` are all a fresh machine needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench lock clean

run: .venv/.run
	@exec $(BIN)/python manage.py serve

test: .venv/.test
	@$(BIN)/python -m tests.everywhere $(ARGS)

check: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --check --lint --quiet templates
	SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))') ALLOWED_HOSTS=portal.example PORTAL_URL=https://portal.example \
		$(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: .venv/.test
	@$(BIN)/python -m tests.bench

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/.run: requirements/run.txt | .venv/bin/pip
	@echo "Setting up .venv (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

.venv/.test: requirements/test.txt .venv/.run
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

# After a change to the dependencies in pyproject.toml.
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: .venv/.test
	$(LOCK) -o requirements/run.txt pyproject.toml
	$(LOCK) --extra test -c requirements/run.txt -o requirements/test.txt pyproject.toml

clean:
	rm -rf .venv build
