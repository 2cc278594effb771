# Chalkbox. `make help` lists what there is.
#
# One build folder a profile: build/release, build/asan (address + undefined
# behaviour), build/tsan, build/fuzz. PROFILE=... picks one.

PROFILE ?= release
B := build/$(PROFILE)
prefix ?= /usr/local
sysconfdir ?= /etc
PYTHON ?= python3
CC ?= gcc
VERSION := 0.1.0

PKGS_CORE := libsystemd sqlite3 jansson libsodium inih
PKGS_FIRMWARE := alsa libopusenc opusfile ogg libevdev libgpiod
PKGS_CLI := alsa opusfile
PKGS_SIM := alsa sndfile
PKGS_TEST := cmocka

# V=1 shows the commands
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '%-6s %s\n')

GPIOD := $(shell pkg-config --atleast-version=2 libgpiod 2>/dev/null && echo 2 || echo 1)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wvla -Wundef -Wpointer-arith -Wno-unused-parameter
HARDEN := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS_release := -O2 -g $(HARDEN)
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -fPIE
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fPIE
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDFLAGS_asan := -pie -fsanitize=address,undefined
LDFLAGS_tsan := -pie -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
ifeq ($(PROFILE),fuzz)
CC := clang
endif

CPPFLAGS += -D_GNU_SOURCE -I. -DCHALKBOX_VERSION='"$(VERSION)"' -DCHALKBOX_PREFIX='"$(prefix)"'
PKG_CFLAGS := $(shell pkg-config --cflags $(sort $(PKGS_CORE) $(PKGS_FIRMWARE) $(PKGS_CLI) \
	$(PKGS_SIM)) 2>/dev/null)
ALL_CFLAGS = -std=c17 $(WARN) -Werror $(CFLAGS_$(PROFILE)) $(CFLAGS) $(PKG_CFLAGS)
libs = $(shell pkg-config --libs $(1))

# --- what the house is built of ---

BASE := app/base/error.o app/base/clock.o app/base/conffile.o app/base/config.o app/base/wires.o app/base/file.o app/base/id.o
SCHEME := app/scheme/scheme.o app/scheme/coding.o app/scheme/default.o
JOURNAL := app/journal/entry.o app/journal/facts.o app/journal/sql.o app/journal/aside.o \
	app/journal/check.o app/journal/database.o app/journal/journal.o
TIMELINE := app/timeline/timeline.o app/timeline/gather.o app/timeline/sums.o app/timeline/wall.o
APP := $(BASE) $(SCHEME) $(JOURNAL)
CLI := app/cli/main.o
FIRMWARE := firmware/box.o firmware/gpio$(GPIOD).o firmware/evdev.o \
	firmware/simboard.o firmware/debounce.o firmware/contacts.o firmware/recorder.o \
	firmware/microphone.o firmware/listener.o firmware/ring.o firmware/sampleclock.o \
	firmware/loudness.o firmware/meter.o firmware/window.o firmware/keeper.o \
	firmware/snippet.o firmware/torn.o firmware/recovery.o firmware/saver.o \
	firmware/space.o firmware/lamps.o

UNIT_TESTS := clock conffile config file scheme coding entry journal timeline
FUZZERS := config scheme fold pressscript

PROGRAMS := $(B)/chalkboxd $(B)/chalkbox $(B)/board/sim/alsa.conf

all: $(PROGRAMS) ## Build everything (PROFILE=release|asan|tsan)

$(B)/chalkboxd: $(addprefix $(B)/,firmware/main.o $(FIRMWARE) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_FIRMWARE)) -pthread -lm

$(B)/chalkbox: $(addprefix $(B)/,$(CLI) $(TIMELINE) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_CLI)) -pthread -lm

# --- the simulated board ---

SIM_PLUGIN := board/sim/pcm_chalkbox_sim.pic.o board/sim/world.pic.o board/sim/tape.pic.o \
	app/base/error.pic.o
SIM_SO := $(B)/board/sim/libasound_module_pcm_chalkbox_sim.so

$(B)/%.pic.o: %.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

$(SIM_SO): $(addprefix $(B)/,$(SIM_PLUGIN))
	$(say) LINK $@
	$(Q)$(CC) -shared $(filter-out -pie,$(LDFLAGS_$(PROFILE))) $(LDFLAGS) -o $@ $^ \
		$(call libs,$(PKGS_SIM)) -lm

$(B)/board/sim/alsa.conf: board/sim/alsa.conf.in $(SIM_SO)
	$(Q)sed 's|@LIB@|$(abspath $(SIM_SO))|' $< > $@

build/lesson/lesson.wav: board/sim/lesson.sh
	$(say) SPEAK $@
	$(Q)board/sim/lesson.sh $(@D)

# --- machinery ---

$(B)/%.o: %.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/app/scheme/default.o: CPPFLAGS += -Ibuild/gen
$(B)/app/scheme/default.o: build/gen/default_scheme.h
build/gen/default_scheme.h: app/scheme/default.scheme
	@mkdir -p $(@D)
	$(Q)sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< > $@

-include $(shell test -d $(B) && find $(B) -name '*.d')

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS="$$(printf '\t')" read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

clean: ## Remove everything built
	rm -rf build

.PHONY: all help clean
.DELETE_ON_ERROR:
