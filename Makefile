# The front door. Plain `make` lists what can be asked for.
#
# A crawl's database is never a target here, so nothing that make does can delete one.

PYTHON ?= python3
SEEDS  ?= seeds.txt
# DB, CONFIG and ARGS may be given too; `make crawl DB=data/mine.db ARGS="--max-pages 100"`.

VENV := .venv
PY   := $(VENV)/bin/python
PIP  := $(PY) -m pip install --disable-pip-version-check
READY := $(VENV)/.stamp
BUILT := $(VENV)/.built

ifeq ($(origin SEED),command line)
$(error SEED is not known; write SEEDS=FILE, a file with one address a line)
endif

# the options that `crawler` shares between its commands
OF_DB = $(if $(DB),--db "$(DB)")

.DEFAULT_GOAL := help
.PHONY: help crawl work demo browse report export import test lint bench profile torture versus-scrapy clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

crawl: $(BUILT) ## crawl the URLs of SEEDS=seeds.txt into one database (DB=, CONFIG=, ARGS= as you like)
	@$(VENV)/bin/crawler crawl "$(SEEDS)" $(OF_DB) $(if $(CONFIG),--config "$(CONFIG)") $(ARGS)

work: $(BUILT) ## fetch for a crawl elsewhere (REDIS=redis://HOST:PORT, ARGS="--name N")
	@$(if $(REDIS),CRAWLER_REDIS="$(REDIS)") $(VENV)/bin/crawler work $(ARGS)

demo: $(BUILT) ## crawl a small web made up on this machine, without internet
	@$(VENV)/bin/crawler demo $(OF_DB) $(ARGS)

browse: $(BUILT) ## browse a crawl in Datasette (DB=, ARGS="--port 9000")
	@$(VENV)/bin/crawler browse $(OF_DB) $(ARGS)

report: $(BUILT) ## write one HTML file of a crawl that can be handed over (DB=, ARGS="--pdf")
	@$(VENV)/bin/crawler report $(OF_DB) $(ARGS)

export: $(BUILT) ## write a crawl as FORMAT=csv, xlsx, parquet ... (DB=, ARGS="--query broken_links")
	@$(VENV)/bin/crawler export $(FORMAT) $(OF_DB) $(ARGS)

import: $(BUILT) ## bring WARC or WACZ files into a crawl (FILES=, DB=)
	@$(VENV)/bin/crawler import $(FILES) $(OF_DB) $(ARGS)

test: $(BUILT) ## run the tests, rooms side by side (ARGS="-k robots" for some of them)
	@$(PY) -m $(if $(ARGS),pytest $(ARGS),tests.abreast)

lint: $(BUILT) ## check style, format, types and the layers of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

bench: $(BUILT) ## measure against other crawlers (WORK=small for one of the works)
	@$(PY) -m tests.bench $(WORK)

profile: $(BUILT) ## tell where the time of a crawl goes (WORK=small)
	@$(PY) -m tests.bench --profile $(WORK)

torture: $(BUILT) ## do to long crawls what machines do, as root also to disks and networks (an hour and a half)
	@CRAWLER_TORTURE=1 $(PY) -m pytest tests/crash tests/shards tests/torture -o timeout=3600 $(ARGS)

versus-scrapy: $(BUILT) ## kill this crawler and Scrapy five times each, and compare what is left
	@$(PY) -m tests.torture.versus_scrapy

clean: ## remove the environment and caches; crawls stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew whenever what it consists of changes. A dot is a package.
$(READY): pyproject.toml requirements.lock
	@command -v $(PYTHON) > /dev/null || { \
	  echo "$(PYTHON) is not here: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is older: name another one, make PYTHON=python3.12" >&2; exit 1; }
	@if command -v uv > /dev/null; then \
	  echo "Making $(VENV) with uv (once)"; \
	  uv venv --quiet --clear --python $(PYTHON) $(VENV) && \
	  uv pip install --python $(PY) -r requirements.lock; \
	else \
	  $(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "$(PYTHON) cannot make environments: apt-get install python3-venv (on Debian and Ubuntu)" >&2; exit 1; }; \
	  printf '%s' "Making $(VENV), once, $$(grep -c == requirements.lock) packages "; \
	  $(PYTHON) -m venv --clear $(VENV) || exit 1; \
	  { $(PIP) --no-deps -r requirements.lock 2>&1 || touch $(VENV)/.failed; } | tee $(VENV)/install.log | \
	    while read -r word rest; do case "$$word" in Collecting) printf .;; Installing) printf ' unpacking';; esac; done; \
	  test ! -e $(VENV)/.failed || { echo " failed:"; tail -n 12 $(VENV)/install.log; exit 1; } >&2; \
	  echo " done"; \
	fi
	@touch $@

# What is compiled is compiled again whenever it changes; all else is used from where it stands.
$(BUILT): $(READY) $(wildcard crawler/parse/_*_c.pyx) crawler/parse/_build.py
	@if command -v uv > /dev/null; then \
	  uv pip install --quiet --python $(PY) --reinstall --no-deps --no-build-isolation --editable .; \
	else \
	  $(PIP) --quiet --no-deps --no-build-isolation --editable .; \
	fi
	@$(PY) -m compileall -q crawler
	@$(PY) -c 'import crawler.parse._scan_c, crawler.parse._loops_c' 2> /dev/null || \
	  echo "No C compiler is here, or an lxml it does not fit: all works, at two thirds of the speed"
	@touch $@
