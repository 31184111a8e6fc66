# Every target sets up what it needs in .venv, and starts at once when that is there already.
# Another Python: make PYTHON=/path/to/python3.12 ...        One benchmark: make bench NAME=gowalla

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt
PINS := pyproject.toml constraints.txt
BASE := $(VENV)/.base-is-set-up
DEV  := $(VENV)/.dev-is-set-up

export PYTHON
unexport PYTHONDONTWRITEBYTECODE  # where it is set, every process compiles everything again
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: help setup demo test check docs bench clean

help:
	@echo "make demo    a demo shop from its events to an answer over HTTP (needs only the base package)"
	@echo "make test    the tests            make check   format, lint, types, import contracts, docs"
	@echo "make docs    the reference pages and the site      make bench   the benchmarks      make clean"

setup: $(BASE)

demo: $(BASE)
	@$(BIN)/paretail demo

# Beside each other, a thread each: two with two threads each on two cores wait for one another.
test: $(DEV)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: $(DEV)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy scripts/*.py benchmarks/*.py
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/generate_reference.py --check
	@$(BIN)/python scripts/generate_typescript.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs: $(DEV)
	@$(BIN)/python scripts/generate_reference.py
	@$(BIN)/python scripts/generate_typescript.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

bench: $(DEV)
	@$(BIN)/python benchmarks/run.py $(NAME)

clean:
	rm -rf $(VENV) site demo-shop .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:  # comes last, so that a set-up that was interrupted is done again
	@python=$$(sh scripts/find_python.sh) && echo "Setting up $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)

$(BASE): $(BIN)/pip $(PINS)
	@echo "Installing paretail into $(VENV) (once; about a minute)"
	@$(PIP) --editable .
	@touch $@

$(DEV): $(BIN)/pip $(PINS)
	@echo "Installing paretail and its development tools into $(VENV) (once; a minute or two)"
	@$(PIP) --editable ".[dev,evolve,faiss,learn,peers,postgres]"
	@touch $(BASE) $@
