# Test programs: tests/RING/test_X.c against the base floors, ASan + UBSan.
ABUILD ?= build-asan
override ABUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(ABUILD)))
ASAN_BASE = $(patsubst %.c,$(ABUILD)/%.o,$(COMMON_SRC) $(CARE_SRC) $(DB_SRC)) \
  $(ABUILD)/gen/scripts.o $(ABUILD)/gen/passwords.o \
  $(ABUILD)/gen/migrations.o
TEST_SUPPORT = $(patsubst %.c,$(ABUILD)/%.o,$(wildcard tests/support/*.c))
ASAN_FCGI = $(patsubst %.c,$(ABUILD)/%.o,$(filter-out fcgi/main.c,$(FCGI_SRC)))
ASAN_WORKER = $(patsubst %.c,$(ABUILD)/%.o,$(filter-out worker/main.c, \
  $(WORKER_SRC)))
ASAN_CFLAGS = $(WARN) $(SAN) -I. -I$(ABUILD) \
  -isystem /usr/include/postgresql -pthread

$(ABUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(ASAN_CFLAGS) -MMD -MP -c -o $@ $<
$(ABUILD)/gen/%.o: $(ABUILD)/gen/%.c
	@echo "  CC $@"
	$(Q)$(CC) $(ASAN_CFLAGS) -MMD -MP -c -o $@ $<
$(ABUILD)/gen/scripts.c: $(LUA) scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh lua $(LUA) >$@
$(ABUILD)/gen/passwords.c: common/passwords.txt scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh words $< >$@
$(ABUILD)/gen/migrations.c: $(SQL) scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh sql $(SQL) >$@

$(ABUILD)/tests/%: $(ABUILD)/tests/%.o $(TEST_SUPPORT) $(ASAN_BASE)
	@echo "  LD $@"
	$(Q)$(CC) $(SAN) -o $@ $(filter %.o,$^) -lcmocka $(LIBS)

# tests/fcgi/test_X.c also has the responders' floor, all but its main. Static
# patterns: of two implicit ones make would take that whose objects are built.
ring_tests = $(patsubst %.c,$(ABUILD)/%,$(wildcard tests/$(1)/test_*.c))
$(call ring_tests,fcgi): $(ABUILD)/tests/fcgi/%: $(ABUILD)/tests/fcgi/%.o \
  $(TEST_SUPPORT) $(ASAN_FCGI) $(ASAN_BASE)
	@echo "  LD $@"
	$(Q)$(CC) $(SAN) -o $@ $(filter %.o,$^) -lcmocka $(LIBS)

# tests/worker/test_X.c also has the worker's floor.
$(call ring_tests,worker): $(ABUILD)/tests/worker/%: \
  $(ABUILD)/tests/worker/%.o $(TEST_SUPPORT) $(ASAN_WORKER) $(ASAN_BASE)
	@echo "  LD $@"
	$(Q)$(CC) $(SAN) -o $@ $(filter %.o,$^) -lcmocka $(LIBS) $(PAGE_LIBS)
$(ABUILD)/worker/page.o: ASAN_CFLAGS += $(PAGE_INC)

# These fuzzers have the responders' floor; the rule that links them is with the others.
FBUILD ?= build-fuzz
$(addprefix $(FBUILD)/fuzz_,query cookie route record): \
  $(patsubst %.c,$(FBUILD)/%.o,$(filter-out fcgi/main.c,$(FCGI_SRC)))
# And these the worker's.
$(addprefix $(FBUILD)/fuzz_,archive control rows): \
  $(patsubst %.c,$(FBUILD)/%.o,$(filter-out worker/main.c,$(WORKER_SRC)))
$(addprefix $(FBUILD)/fuzz_,archive control rows): LIBS += $(PAGE_LIBS)
$(FBUILD)/worker/page.o: FUZZ_CFLAGS += $(PAGE_INC)

versioned = $(addprefix $(1)/,fcgi/h_ops.o worker/events.o \
  worker/control_show.o): $(1)/gen/version.h
$(eval $(call versioned,$(ABUILD)))
$(eval $(call versioned,$(FBUILD)))

-include $(shell find $(ABUILD) -name '*.d' 2>/dev/null)
