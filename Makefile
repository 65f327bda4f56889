# databuild: make, make install, make installcheck, make core-check, make core-check-sanitized, make model-check,
# make tap-check, make dist

EXTENSION = databuild
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'$$/\1/p" databuild.control)

# A library for each version: src/databuild.c says why. databuild.control names it, too.
MODULE_big = databuild-$(EXTVERSION)

OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/core/*.c))

SQL_PARTS = sql/tables.sql sql/functions.sql sql/views.sql sql/why.sql sql/replay.sql sql/stats.sql sql/prune.sql sql/pictures.sql sql/feed.sql sql/rights.sql sql/grants.sql
UPGRADES = $(wildcard sql/upgrade/*--$(EXTVERSION).sql)
DATA_built = sql/databuild--$(EXTVERSION).sql $(UPGRADES:sql/upgrade/%=sql/databuild--%)

# A program of its own; PROGRAM would link the module's objects, too.
SCRIPTS_built = databuild-worker
WORKER_OBJS = $(patsubst %.c,%.o,$(wildcard src/worker/*.c))

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test

# Needs a server with max_prepared_transactions; see test/lib.sh.
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation

# For packagers, whose compiler may know more: make WERROR=
WERROR ?= -Werror

PG_CPPFLAGS = -I$(srcdir)/src -DDATABUILD_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	-Wswitch-enum -Wno-declaration-after-statement $(WERROR)
EXTRA_CLEAN = $(DATA_built) test/core/core-check test/core/core-check-sanitized test/model/model-check test/model/pg \
	tmp_check $(WORKER_OBJS)

# make tap-check: servers of its own, so only the files of the extension must be installed; see test/README.md.
PROVE_TESTS = test/t/*.pl

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*.def src/core/*.h src/core/*.def)
src/databuild.o src/databuild.bc: databuild.control

$(WORKER_OBJS): src/worker/worker.h | libpq-headers
$(WORKER_OBJS): override CPPFLAGS += -I$(includedir)

databuild-worker: $(WORKER_OBJS)
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(libpq) -o $@

.PHONY: libpq-headers
libpq-headers:
	@test -f $(includedir)/libpq-fe.h || { echo "No $(includedir)/libpq-fe.h, which databuild-worker needs: install libpq's headers (Debian: libpq-dev)." >&2; exit 1; }

sql/databuild--$(EXTVERSION).sql: $(SQL_PARTS)
	(printf '%s\n' '\echo Use "CREATE EXTENSION databuild" to load this file. \quit'; cat $(SQL_PARTS)) >$@

# sql/upgrade/OLD--NEW.sql, perhaps empty, is what must be done by hand: to tables, and to what cannot be replaced. All
# functions, views and comments are replaced after that, and roles get what is new in what they were granted. See
# sql/upgrade/begin.sql and end.sql.
sql/databuild--%--$(EXTVERSION).sql: sql/upgrade/%--$(EXTVERSION).sql sql/upgrade/begin.sql sql/upgrade/end.sql $(SQL_PARTS)
	(printf '%s\n' '\echo Use "ALTER EXTENSION databuild UPDATE" to load this file. \quit'; cat sql/upgrade/begin.sql $<; \
		(sed -n '/^CREATE FUNCTION /,/;$$/p' sql/tables.sql; cat $(filter-out sql/tables.sql,$(SQL_PARTS))) | \
			sed -e 's/^CREATE \(FUNCTION\|PROCEDURE\|VIEW\) /CREATE OR REPLACE \1 /' -e '/^REVOKE ALL /d'; \
		cat sql/upgrade/end.sql) >$@

# The core alone, without PostgreSQL: every cell of the net, every rule.
CORE = $(wildcard src/core/*.c src/core/*.h src/core/*.def test/core/*.c)

test/core/core-check: $(CORE)
	$(CC) -std=c11 -Wall -Wextra -Wswitch-enum -Werror -Isrc/core -o $@ $(filter %.c,$^)

test/core/core-check-sanitized: $(CORE)
	$(CC) -std=c11 -Wall -Wextra -Wswitch-enum -Werror -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Isrc/core -o $@ $(filter %.c,$^)

# The explorer: the core, and the calls over it as they are, on tables in memory, without PostgreSQL; see
# test/README.md. Each header of PostgreSQL that they include is one of our own under another name.
MODEL_CALLS = $(addprefix src/, call.c claim.c cycle.c finish.c look.c miss.c names.c pick.c publish.c read.c retry.c \
	taint.c tokens.c want.c)
MODEL_PG = $(addprefix test/model/pg/, postgres.h fmgr.h funcapi.h miscadmin.h executor/spi.h lib/stringinfo.h \
	storage/lock.h storage/proc.h storage/procarray.h storage/sinvaladt.h utils/array.h utils/builtins.h utils/hsearch.h \
	utils/jsonb.h utils/memutils.h utils/timestamp.h)

$(MODEL_PG):
	mkdir -p $(@D) && echo '#include "shim.h"' >$@

test/model/model-check: $(wildcard src/core/*.c test/model/*.c) $(MODEL_CALLS) $(MODEL_PG) \
		$(wildcard src/*.h src/*.def src/core/*.h src/core/*.def test/model/*.h)
	$(CC) -std=c11 -O2 -Wall -Wextra -Wswitch-enum -Werror -Wno-unused-parameter -Wno-sign-compare \
		-Wno-missing-field-initializers -Itest/model -Itest/model/pg -Isrc -Isrc/core -o $@ $(filter %.c,$^)

.PHONY: core-check core-check-sanitized model-check tap-check
core-check: test/core/core-check
	test/core/core-check

# Nothing is freed there, so leaks are none.
core-check-sanitized: test/core/core-check-sanitized
	ASAN_OPTIONS=detect_leaks=0 test/core/core-check-sanitized

model-check: test/model/model-check
	test/model/model-check

tap-check:
	$(prove_installcheck)

# For PGXN: what is committed.
DISTVERSION = $(shell sed -n 's/^ \{3\}"version": "\(.*\)",$$/\1/p' META.json)

.PHONY: dist
dist:
	git archive --format=zip --prefix=databuild-$(DISTVERSION)/ -o databuild-$(DISTVERSION).zip HEAD
