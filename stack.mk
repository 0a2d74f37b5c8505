# The private stack, the checks, the installation. `make help` lists them.
ALL_C = $(sort $(foreach d,common care db fcgi worker ctl tests, \
  $(shell find $(d) -name '*.[ch]' 2>/dev/null)))

up: ## build and start the private stack (CATETUBE_PORT, default 8080)
	@scripts/stack up
down: ## stop it; its data stay
	@scripts/stack down
status: ## which parts of it run, and its health
	@scripts/stack status
logs: ## follow its logs
	@scripts/stack logs

check: ## every ring of tests on a throw-away stack
	@tests/check.sh
asan: ## the same with the programs under ASan + UBSan
	@tests/check.sh --asan
lint: all ## the lint ring alone
	@tests/check.sh --ring lint
bench: all ## measure the limits and ours in one run (makes var-bench/)
	@python3 tests/bench/run.py
soak: all $(BUILD)/bench-load ## 1,000,000 requests (REQUESTS): nothing grows
	@python3 tests/fault/soak.py --requests $(or $(REQUESTS),1000000)
soak-jobs: all ## 1,000,000 jobs (JOBS): nothing grows
	@/usr/bin/python3 tests/fault/soak_jobs.py --jobs $(or $(JOBS),1000000)
storm: all ## 10,000 jobs under kill -9, frozen nodes, a lost Redis
	@/usr/bin/python3 tests/fault/test_jobs.py --full
fmt: ## clang-format all C
	@clang-format -i $(ALL_C)
samples: all ## write what is generated and committed
	$(BUILD)/catetubectl config sample >systemd/catetube.env.sample
	$(BUILD)/catetube-fcgi --openapi >docs/openapi.yaml

# Fuzzers: tests/fuzz/fuzz_X.c against the base floors, with clang.
FBUILD ?= build-fuzz
FUZZ_SECONDS ?= 30
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(FBUILD) \
  -isystem /usr/include/postgresql -pthread -O1 -g -fno-omit-frame-pointer \
  -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_BASE = $(patsubst %.c,$(FBUILD)/%.o,$(COMMON_SRC) $(CARE_SRC) $(DB_SRC)) \
  $(FBUILD)/gen/scripts.o $(FBUILD)/gen/passwords.o \
  $(FBUILD)/gen/migrations.o
fuzz_dirs = $(wildcard tests/fuzz/corpus/$* tests/fuzz/regression/$*)

$(FBUILD)/gen/%.c: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	cp $< $@
$(FBUILD)/gen/%.o: $(FBUILD)/gen/%.c
	clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(FBUILD)/%.o: %.c
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(FBUILD)/fuzz_%: $(FBUILD)/tests/fuzz/fuzz_%.o $(FUZZ_BASE)
	clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)
-include $(shell find $(FBUILD) -name '*.d' 2>/dev/null)

# New inputs go to the build directory, what crashes to tests/fuzz/regression.
fuzz-%: $(FBUILD)/fuzz_%
	@mkdir -p $(FBUILD)/new/$* tests/fuzz/regression/$*
	$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -timeout=5 \
	  -artifact_prefix=tests/fuzz/regression/$*/ $(FBUILD)/new/$* $(fuzz_dirs)
replay-%: $(FBUILD)/fuzz_%
	@$< -runs=0 -timeout=5 $(fuzz_dirs) && echo "ok $*:" \
	  "$(words $(wildcard $(addsuffix /*,$(fuzz_dirs)))) inputs"
fuzz: $(addprefix fuzz-,$(FUZZ)) ## run each fuzzer for FUZZ_SECONDS (30)

PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
install: all ## programs, units and nginx files, under DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d \
	  $(DESTDIR)$(SYSCONFDIR)/nginx/sites-available \
	  $(DESTDIR)$(SYSCONFDIR)/catetube
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	for u in systemd/*.service systemd/*.socket; do \
	  sed 's|/usr/bin/catetube|$(PREFIX)/bin/catetube|g' $$u \
	    >$(DESTDIR)$(UNITDIR)/$$(basename $$u) || exit 1; done
	install -m 644 systemd/catetube.sysusers \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d/catetube.conf
	install -m 644 systemd/catetube.tmpfiles \
	  $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/catetube.conf
	install -m 644 $(filter-out %/catetube-site.conf,$(wildcard \
	  nginx/catetube-*.conf)) $(DESTDIR)$(SYSCONFDIR)/nginx
	install -m 644 nginx/catetube-site.conf \
	  $(DESTDIR)$(SYSCONFDIR)/nginx/sites-available/catetube
	install -m 640 systemd/catetube.env.sample \
	  $(DESTDIR)$(SYSCONFDIR)/catetube/catetube.env.sample

.PHONY: up down status logs check asan lint bench soak soak-jobs storm fmt samples fuzz install
.SECONDARY:
