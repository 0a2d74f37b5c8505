# CatETube Tracker. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD ?= build
# One spelling of the directory, or make would not see that objects are stale.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
# V=1 shows the commands.
Q := $(if $(filter 1,$(V)),,@)
CC := gcc
# RELEASE=1 is the build that is installed.
VERSION := $(shell git describe --tags --always 2>/dev/null || echo dev)

WARN := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wvla \
  -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 \
  -Wundef -fno-common
ifneq ($(RELEASE),1)
WARN += -Werror
endif
HARD := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
  -fstack-clash-protection -fcf-protection -fPIE
SAN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize-recover=undefined
LDHARD := -pie -Wl,-z,relro,-z,now
LIBS := -lfcgi -lpq -lhiredis -lcjson -lsodium -lcrypto -lpasswdqc -loath \
  -lqrencode -larchive -lcurl -lexpat -lzstd -lsystemd -lpthread -lm
# What makes spreadsheets and pages only the worker needs. Not as their .pc
# files have it: warnings about their headers are not ours.
PAGE_LIBS := -lxlsxwriter -lminizip -lpangocairo-1.0 -lpango-1.0 \
  -lgobject-2.0 -lglib-2.0 -lcairo
PAGE_INC = $(subst -I/,-isystem /,$(shell pkg-config --cflags pangocairo 2>/dev/null))
INC := -I. -I$(BUILD) -isystem /usr/include/postgresql

ifeq ($(ASAN),1)
MODE := $(SAN)
LDMODE := $(SAN)
else
MODE := $(HARD)
LDMODE := $(LDHARD)
endif
CFLAGS := $(WARN) $(MODE) $(INC) -pthread $(EXTRA_CFLAGS)

floor_src = $(sort $(wildcard $(1)/*.c))
COMMON_SRC := $(call floor_src,common)
CARE_SRC := $(call floor_src,care)
DB_SRC := $(call floor_src,db)
FCGI_SRC := $(call floor_src,fcgi)
WORKER_SRC := $(call floor_src,worker)
CTL_SRC := $(call floor_src,ctl)
LUA := $(sort $(wildcard common/lua/*.lua))
SQL := $(sort $(wildcard db/migrations/*.sql))

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
COMMON_OBJ := $(call obj,$(COMMON_SRC)) $(BUILD)/gen/scripts.o \
  $(BUILD)/gen/passwords.o
DB_OBJ := $(call obj,$(DB_SRC)) $(BUILD)/gen/migrations.o
BASE_OBJ := $(COMMON_OBJ) $(call obj,$(CARE_SRC)) $(DB_OBJ)

BIN := $(BUILD)/catetube-fcgi $(BUILD)/catetube-worker $(BUILD)/catetubectl

all: $(BIN) ## build the three programs

$(BUILD)/catetube-fcgi: $(call obj,$(FCGI_SRC)) $(BASE_OBJ)
$(BUILD)/catetube-worker: $(call obj,$(WORKER_SRC)) $(BASE_OBJ)
$(BUILD)/catetubectl: $(call obj,$(CTL_SRC)) $(BASE_OBJ)
$(BIN):
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) -o $@ $(filter %.o,$^) $(LIBS) $(MORE_LIBS)
$(BUILD)/catetube-worker: MORE_LIBS := $(PAGE_LIBS)
$(BUILD)/worker/page.o: CFLAGS += $(PAGE_INC)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/scripts.c: $(LUA) scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh lua $(LUA) >$@
$(BUILD)/gen/passwords.c: common/passwords.txt scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh words $< >$@
$(BUILD)/gen/migrations.c: $(SQL) scripts/embed.sh
	@mkdir -p $(@D)
	$(Q)scripts/embed.sh sql $(SQL) >$@

# Rewritten only when the version is another one.
%/gen/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define CT_VERSION "$(VERSION)"' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:
$(BUILD)/fcgi/main.o $(BUILD)/fcgi/h_ops.o $(BUILD)/worker/events.o \
  $(BUILD)/worker/control_show.o: $(BUILD)/gen/version.h

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Unit tests: tests/unit/test_X.c, one program each, always under ASan+UBSan.
UNIT := $(sort $(wildcard tests/unit/test_*.c))
include tests/tests.mk
include stack.mk
-include bench.mk

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
	  expand -t 12

clean: ## remove what was built (the stack's data stay)
	rm -rf build build-asan build-fuzz

.PHONY: all help clean FORCE
