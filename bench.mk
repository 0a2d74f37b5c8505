# What `make bench` builds besides the three programs; the recipe is
# tests/bench/run.py.
BENCH_BIN := $(BUILD)/bench-load $(BUILD)/bench-bare $(BUILD)/bench-tool

bench: $(BENCH_BIN)

$(BUILD)/bench-load: $(patsubst %,$(BUILD)/tests/bench/%.o,load load_tmpl \
  load_resp)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) -o $@ $^ -lpthread
$(BUILD)/bench-bare: $(BUILD)/tests/bench/bare.o $(BUILD)/tests/bench/resp.o
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) -o $@ $^ -lfcgi
$(BUILD)/bench-tool: $(BUILD)/tests/bench/tool.o $(BASE_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) -o $@ $^ $(LIBS)
