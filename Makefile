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
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

PKGS_CORE := libsystemd sqlite3 jansson libsodium inih
PKGS_FIRMWARE := alsa libopusenc opusfile ogg libevdev libgpiod
PKGS_CLI := alsa opusfile
PKGS_SIM := alsa sndfile
PKGS_SERVER := libmicrohttpd gnutls opusfile zlib
PKGS_TEST := cmocka

# V=1 shows the commands
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '%-6s %s\n')

GPIOD := $(shell $(PKG_CONFIG) --atleast-version=2 libgpiod 2>/dev/null && echo 2 || echo 1)

# snprintf cuts text on purpose here, hence no-format-truncation
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wvla -Wundef -Wpointer-arith -Wno-unused-parameter -Wno-format-truncation
# warnings are errors in `make check` only: a newer compiler must not stop a user
WERROR ?=
HARDEN := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS_release := -O2 -g $(HARDEN)
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -fPIE
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fPIE
CFLAGS_fuzz := -Wno-unknown-warning-option -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDFLAGS_asan := -pie -fsanitize=address,undefined
LDFLAGS_tsan := -pie -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
ifeq ($(PROFILE),fuzz)
CC := clang
endif

CPPFLAGS += -D_GNU_SOURCE -I. -DCHALKBOX_VERSION='"$(VERSION)"' -DCHALKBOX_PREFIX='"$(prefix)"'
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(sort $(PKGS_CORE) $(PKGS_FIRMWARE) $(PKGS_CLI) \
	$(PKGS_SIM) $(PKGS_SERVER)) 2>/dev/null)
ALL_CFLAGS = -std=c17 $(WARN) $(WERROR) $(CFLAGS_$(PROFILE)) $(CFLAGS) $(PKG_CFLAGS)
libs = $(shell $(PKG_CONFIG) --libs $(1))

# --- what the house is built of ---

BASE := $(addprefix app/base/,clock.o conffile.o config.o dump.o error.o file.o id.o iso.o journald.o \
	pin.o wires.o)
SCHEME := app/scheme/scheme.o app/scheme/coding.o app/scheme/default.o app/scheme/site.o
JOURNAL := app/journal/entry.o app/journal/facts.o app/journal/sql.o app/journal/aside.o \
	app/journal/check.o app/journal/database.o app/journal/observing.o app/journal/journal.o app/journal/gone.o
TIMELINE := app/timeline/json.o app/timeline/timeline.o app/timeline/gather.o app/timeline/sums.o app/timeline/wall.o
HEALTH := app/health/health.o app/health/power.o app/health/card.o app/health/machine.o app/health/told.o
APP := $(BASE) $(SCHEME) $(JOURNAL)
CLI := $(addprefix app/cli/,cli.o record.o observations.o show.o events.o play.o check.o sync.o press.o \
	console.o draw.o tables.o canvas.o screen.o keys.o units.o csv.o sound.o speaker.o \
	boardlink.o wiring.o pressscript.o terminal.o doctor.o doctor_box.o doctor_board.o \
	doctor_try.o doctor_server.o doctor_draw.o recorderlink.o gpiolines.o unitbus.o helper.o)
FIRMWARE := firmware/box.o firmware/panel.o firmware/sound.o firmware/report.o firmware/gpio$(GPIOD).o firmware/evdev.o \
	firmware/simboard.o firmware/debounce.o firmware/contacts.o firmware/recorder.o \
	firmware/microphone.o firmware/listener.o firmware/ring.o firmware/sampleclock.o \
	firmware/loudness.o firmware/meter.o firmware/window.o firmware/keeper.o \
	firmware/snippet.o firmware/torn.o firmware/recovery.o firmware/saver.o \
	firmware/space.o firmware/lamps.o firmware/control.o firmware/trial.o firmware/level.o

# each is tests/unit/test_NAME.c, a cmocka program
UNIT_TESTS := ring sampleclock loudness debounce contacts window lamps panel recorder snippet torn \
	saver recovery meter sound evdev clock iso conffile config file scheme coding entry journal \
	database timeline timeline_clock pressscript draw sim_microphone sim_faults
# each is tests/fuzz/fuzz_NAME.c with its seeds in tests/fuzz/corpus/NAME
FUZZERS := config scheme fold pressscript
FUZZ_SECONDS ?= 15

PROGRAMS := $(B)/chalkboxd $(B)/chalkbox $(B)/chalkbox-server $(B)/board/sim/alsa.conf

all: $(PROGRAMS) ## Build everything (PROFILE=release|asan|tsan)

$(B)/chalkboxd: $(addprefix $(B)/,firmware/main.o $(FIRMWARE) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_FIRMWARE)) -pthread -lm

$(B)/chalkbox: $(addprefix $(B)/,app/cli/main.o $(CLI) $(TIMELINE) $(HEALTH) $(APP))
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

$(B)/tests/bench/presses: $(B)/tests/bench/presses.o
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^

$(B)/tests/bench/posts: $(B)/tests/bench/posts.o
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ -pthread

# --- sync ---

PKGS_SYNC := libcurl
SYNC := $(addprefix app/sync/,sync.o pair.o probe.o sending.o report.o rules.o survey.o batch.o upload.o talk.o \
	patience.o transport.o reply.o said.o network.o bond.o notes.o writer.o progress.o)
UNIT_TESTS += control sync bond health journald
FUZZERS += said

# other people's tus
TUS_FILES := $(addprefix tests/tus/,package.json package-lock.json server.mjs client.mjs)
build/npm/tus/ready: $(TUS_FILES)
	@mkdir -p $(@D)
	$(say) NPM $(@D)
	$(Q)cp $^ $(@D)/
	$(Q)cd $(@D) && npm --loglevel=error --no-audit --no-fund --ignore-scripts ci && touch ready

PROGRAMS += $(B)/chalkbox-sync
all: $(B)/chalkbox-sync

$(B)/chalkbox-sync: $(addprefix $(B)/,app/sync/main.o $(SYNC) $(HEALTH) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_SYNC)) -pthread -lm

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

# --- the two commands ---

DEB_BUILD := gcc libc6-dev make pkg-config libasound2-dev libgpiod-dev libsqlite3-dev libopusenc-dev \
	libopusfile-dev libogg-dev libsodium-dev libjansson-dev libinih-dev libevdev-dev \
	libsystemd-dev libsndfile1-dev libcurl4-openssl-dev libmicrohttpd-dev libgnutls28-dev \
	zlib1g-dev
DEB_DEMO := $(DEB_BUILD) espeak-ng sox alsa-utils python3
DEB_CHECK := $(DEB_DEMO) dbus-daemon python3-dbusmock libcmocka-dev opus-tools strace clang libclang-rt-dev mandoc git \
	nginx-light openssl

# Installs what is missing of the packages in $(1), and says so.
install_missing = @missing=$$(for p in $(1); do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || \
		printf '%s ' $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "Installing what is missing: $$missing"; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get -qq update && DEBIAN_FRONTEND=noninteractive $$sudo apt-get -qq -y \
			--no-install-recommends -o Dpkg::Use-Pty=0 install $$missing >/dev/null; \
	fi

demo: ## Play a spoken lesson into a simulated box, press its buttons, show the timeline
	$(call install_missing,$(DEB_DEMO))
	@$(MAKE) --no-print-directory demo-run

demo-run: $(PROGRAMS) build/lesson/lesson.wav build/web/ready
	@board/sim/demo.sh $(B) build/lesson

console: ## Try it by hand: keys are buttons, this machine's microphone listens
	$(call install_missing,$(DEB_DEMO))
	@$(MAKE) --no-print-directory console-run

console-run: $(PROGRAMS) build/lesson/lesson.wav
	@board/sim/console.sh $(B) build/lesson

# The board's images take minutes and no hands: they are made while the first stages run,
# and are there before the stages that a busy disk disturbs.
check: ## Run every test; the last line counts them
	$(call install_missing,$(DEB_CHECK))
	@$(MAKE) --no-print-directory board-tools || echo "Not all of it can be installed here."
	@mkdir -p build && rm -f build/tally
	@CHALKBOX_TALLY=$(CURDIR)/build/tally; export CHALKBOX_TALLY; status=0; \
	nice -n 19 $(MAKE) --no-print-directory board-images > build/board-images.log 2>&1 & \
	trap "kill $$! 2>/dev/null" EXIT; trap 'exit 130' INT TERM; \
	for stage in check-unit check-system check-crash check-web check-board; do \
		[ $$stage != check-crash ] || wait; \
		$(MAKE) --no-print-directory $$stage || status=1; \
	done; \
	awk '{ print "chalkbox: " $$1 " passed, " $$2 " failed, " $$3 " skipped" }' build/tally; \
	exit $$status

# A part of the tests in one profile, built first: $(call in,PROFILE,TARGET)
in = $(MAKE) --no-print-directory -j2 WERROR=-Werror PROFILE=$(1) $(2)

check-unit: ## House rules, unit tests (plain, ASan+UBSan, TSan), fuzzers
	@$(call in,release,all)
	@tests/run --label house tests/house.sh tests/other_gpiod.sh tests/manuals.sh
	@for p in release asan tsan; do $(call in,$$p,unit) || exit 1; done
	@$(MAKE) --no-print-directory PROFILE=fuzz fuzz

SYSTEM_TESTS := $(sort $(wildcard tests/system/test_*.py))
# whole programs under the sanitizers: the ones that go through most of the code
SANITIZED_TESTS := $(patsubst %,tests/system/test_%.py,boards clock config cues lesson microphone \
	network sync tus)

check-system: ## Whole programs on the simulated board
	@$(call in,release,all build/lesson/lesson.wav build/npm/tus/ready)
	@CHALKBOX_BUILD=build/release tests/run --jobs 2 --label system $(SYSTEM_TESTS)
	@for p in asan tsan; do $(call in,$$p,all) && CHALKBOX_BUILD=build/$$p \
		tests/run --jobs 2 --label system-$$p $(SANITIZED_TESTS) || exit 1; done

check-crash: ## Kills, disk errors and a full disk at every step
	@$(call in,release,all build/lesson/lesson.wav)
	@CHALKBOX_BUILD=build/release tests/run --jobs 2 --label crash $(sort $(wildcard tests/crash/test_*.py))

bench: ## Measure against arecord, opusenc and a bare fdatasync, as ratios
	$(call install_missing,$(DEB_CHECK) curl)
	@$(call in,release,all build/lesson/lesson.wav build/release/tests/bench/presses \
		build/release/tests/bench/posts build/npm/tus/ready)
	@CHALKBOX_BUILD=build/release $(PYTHON) tests/bench/server.py
	@CHALKBOX_BUILD=build/release $(PYTHON) tests/bench/bench.py $(BENCH)
	@CHALKBOX_BUILD=build/release $(PYTHON) tests/bench/timeline.py

# --- the server: its people's side ---

SERVER_PEOPLE := $(addprefix app/server/,access.o audio.o backoff.o guests.o invitations.o observations.o \
	passwords.o people.o plans.o retention.o sessions.o site.o store_guests.o store_observations.o store_people.o \
	store_plans.o store_site.o store_sounds.o timelines.o token.o turns.o wav.o)
UNIT_TESTS += access backoff passwords
FUZZERS += wav

# --- the pages ---

# app/web as it stands, and of npm's packages the files that browsers load; no bundler.
# Beside each text lies the same compressed, for the server; fonts are so by themselves.
WEB_FILES := $(wildcard app/web/*.html app/web/*.css app/web/*.svg app/web/*.js app/web/*/*.js)
WEB_PARTS := index.html $(patsubst app/web/%,%,$(filter-out app/web/index.html,$(WEB_FILES)))
NPM := npm --loglevel=error --no-audit --no-fund --ignore-scripts

# the packages of the lock file's folder, into build/npm
define npm_ci
	@mkdir -p $(@D)
	$(say) NPM $(@D)
	$(Q)cp $(<D)/package.json $(<D)/package-lock.json $(@D)/
	$(Q)cd $(@D) && $(NPM) ci && touch ready
endef

build/npm/web/ready: app/web/package-lock.json app/web/package.json
	$(npm_ci)

build/npm/tests/ready: tests/web/package-lock.json tests/web/package.json
	$(npm_ci)

build/web/ready: $(WEB_FILES) app/scheme/default.scheme build/npm/web/ready $(MAKEFILE_LIST)
	$(say) WEB $(@D)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)/vendor
	$(Q)cd app/web && cp --parents $(WEB_PARTS) $(abspath $(@D))/
	$(Q)cp app/scheme/default.scheme $(@D)/default.txt
	$(Q)cd build/npm/web/node_modules && to=$(abspath $(@D))/vendor && \
		sed '/^\/\/# sourceMappingURL/d' preact/dist/preact.mjs > $$to/preact.js && \
		sed -e 's|from"preact"|from"./preact.js"|' -e '/^\/\/# sourceMappingURL/d' \
			preact/hooks/dist/hooks.mjs > $$to/hooks.js && \
		cp htm/dist/htm.mjs $$to/htm.js && \
		cp @fontsource-variable/literata/files/literata-latin-wght-normal.woff2 \
			$$to/heading.woff2 && \
		cp @fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-wght-normal.woff2 \
			$$to/text.woff2 && \
		for one in preact htm @fontsource-variable/literata \
				@fontsource-variable/atkinson-hyperlegible-next; do \
			cp $$one/LICENSE $$to/LICENSE-$${one##*/}.txt; \
		done
	$(Q)cd $(@D) && gzip -9kn $(WEB_PARTS) default.txt vendor/*.js vendor/*.txt
	$(Q)touch $@

web: build/web/ready ## The pages, into build/web

# a box needs no pages, so that it needs no npm
WEB_IF_NPM := $(if $(shell command -v npm),build/web/ready)

# npm comes with some packages of nodejs, and is one of its own in Debian's
DEB_WEB := nodejs $(if $(shell command -v npm),,npm)
DEB_DEMO += $(DEB_WEB)
DEB_CHECK += $(DEB_WEB) chromium

check-web: ## The pages in a real browser; pictures of them in build/screenshots
	@$(call in,release,all web build/npm/tests/ready build/lesson/lesson.wav)
	@CHALKBOX_BUILD=build/release tests/run --label web $(sort $(wildcard tests/web/test_*.mjs))
.PHONY: web check-web

# --- the server ---

SERVER := $(addprefix app/server/,answer.o blobs.o boxes.o boxlist.o entries.o exchange.o guard.o gzip.o \
	health.o http.o ndjson.o pages.o pairing.o part.o request.o router.o schema.o serve.o store.o store_boxes.o \
	store_entries.o store_rows.o store_uploads.o streams.o tls.o tus.o uploads.o upkeep.o)
UNIT_TESTS += guard ndjson part tus store
FUZZERS += entries tusmeta bodies
SANITIZED_TESTS += $(patsubst %,tests/system/test_server_%.py,access box hostile leaving \
	observations people sound tls uploads)

$(B)/chalkbox-server: $(addprefix $(B)/,app/server/main.o $(SERVER) $(SERVER_PEOPLE) $(TIMELINE) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_SERVER)) -pthread -lm

# --- tests ---

UNITS := $(UNIT_TESTS:%=$(B)/tests/unit/test_%)
HOUSE := $(B)/libhouse.a

$(HOUSE): $(addprefix $(B)/,$(FIRMWARE) $(CLI) $(SYNC) $(SERVER) $(SERVER_PEOPLE) $(TIMELINE) $(HEALTH) $(APP))
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(HOUSE)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ \
		$(call libs,$(PKGS_CORE) $(PKGS_FIRMWARE) $(PKGS_SIM) $(PKGS_SERVER) $(PKGS_SYNC) $(PKGS_TEST)) -pthread -lm

unit: $(UNITS) $(B)/board/sim/alsa.conf
	@CHALKBOX_SIM_ALSA=$(abspath $(B)/board/sim/alsa.conf) \
		tests/run --jobs 2 --label unit-$(PROFILE) $(UNITS)

FUZZ_PROGRAMS := $(FUZZERS:%=$(B)/tests/fuzz/fuzz_%)

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(HOUSE)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ \
		$(call libs,$(PKGS_CORE) $(PKGS_FIRMWARE) $(PKGS_SERVER) $(PKGS_SYNC)) -pthread -lm

# of the server alone: sync has an answer_header() of its own
$(B)/tests/fuzz/fuzz_bodies: $(addprefix $(B)/,tests/fuzz/fuzz_bodies.o $(SERVER) $(SERVER_PEOPLE) \
		$(TIMELINE) $(APP))
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_$(PROFILE)) $(LDFLAGS) -o $@ $^ $(call libs,$(PKGS_CORE) $(PKGS_SERVER)) -pthread -lm

fuzz: $(FUZZ_PROGRAMS)
	@mkdir -p $(FUZZERS:%=$(B)/corpus/%)
	@tests/run --jobs 2 --label fuzz $(foreach f,$(FUZZERS),"$(B)/tests/fuzz/fuzz_$(f) \
		-max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=$(B)/ $(B)/corpus/$(f) \
		tests/fuzz/corpus/$(f)")

# --- installing ---

SERVER_MAN := app/server/chalkbox-server.8
MAN := app/cli/chalkbox.1 firmware/chalkboxd.8 app/base/chalkbox.conf.5 \
	app/scheme/chalkbox-scheme.5 $(SERVER_MAN) app/sync/chalkbox-sync.8
unitdir ?= $(prefix)/lib/systemd/system
dispatcherdir ?= $(sysconfdir)/NetworkManager/dispatcher.d
udevdir ?= $(prefix)/lib/udev/rules.d
SIM_DIR := $(prefix)/lib/chalkbox

# $(call put,MODE,FOLDER,FILES)
put = install -d $(DESTDIR)$(2) && install -m $(1) $(3) $(DESTDIR)$(2)/
put_unit = install -d $(DESTDIR)$(unitdir) && sed 's|@SBIN@|$(prefix)/sbin|' systemd/$(1).in \
	> $(DESTDIR)$(unitdir)/$(1)
# what an administrator edits is not overwritten
put_once = test -e $(DESTDIR)$(1) || install -D -m 644 $(2) $(DESTDIR)$(1)
put_manuals = for page in $(1); do \
		install -D -m 644 $$page $(DESTDIR)$(prefix)/share/man/man$${page\#\#*.}/$${page\#\#*/}; \
	done

install: install-box install-server install-sim ## Install programs, boards, units and manuals (DESTDIR, prefix)

install-box: $(addprefix $(B)/,chalkbox chalkboxd chalkbox-sync)
	$(call put,755,$(prefix)/bin,$(B)/chalkbox)
	$(call put,755,$(prefix)/sbin,$(B)/chalkboxd $(B)/chalkbox-sync)
	$(call put,644,$(prefix)/share/chalkbox/board,$(filter-out board/sim.conf,$(wildcard board/*.conf)))
	$(call put,644,$(prefix)/share/chalkbox/scheme,app/scheme/default.scheme)
	$(call put_unit,chalkboxd.service)
	$(call put_unit,chalkbox-sync.service)
	$(call put,644,$(unitdir),systemd/chalkbox-sync.timer systemd/chalkbox-sync-boot.timer)
	install -D -m 755 systemd/chalkbox-sync.dispatcher $(DESTDIR)$(dispatcherdir)/90-chalkbox-sync
	install -D -m 644 systemd/chalkbox.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/chalkbox.conf
	install -D -m 644 board/chalkbox.rules $(DESTDIR)$(udevdir)/60-chalkbox.rules
	install -D -m 644 systemd/chalkbox.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/chalkbox.conf
	install -d $(DESTDIR)$(sysconfdir)/chalkbox/chalkbox.conf.d
	$(call put_once,$(sysconfdir)/chalkbox/chalkbox.conf,app/base/chalkbox.conf)
	$(call put_manuals,$(filter-out $(SERVER_MAN),$(MAN)))

install-server: $(B)/chalkbox-server $(WEB_IF_NPM)
	$(call put,755,$(prefix)/sbin,$(B)/chalkbox-server)
	$(call put_unit,chalkbox-server.service)
	$(call put_once,$(sysconfdir)/chalkbox/server,systemd/chalkbox-server.settings)
	$(call put_manuals,$(SERVER_MAN))
	@if [ -e build/web/ready ]; then \
		find build/web -type f ! -name ready -printf '%P\n' | while read -r file; do \
			install -D -m 644 build/web/$$file $(DESTDIR)$(prefix)/share/chalkbox/web/$$file; \
		done; \
	else \
		echo "The server's pages are left out: a box needs none. For a server: apt install npm, make install"; \
	fi

install-sim: $(SIM_SO)
	$(call put,644,$(SIM_DIR),$(SIM_SO))
	sed 's|@LIB@|$(SIM_DIR)/$(notdir $(SIM_SO))|' board/sim/alsa.conf.in \
		> $(DESTDIR)$(SIM_DIR)/alsa-sim.conf
	$(call put,644,$(prefix)/share/chalkbox/board,board/sim.conf)

# --- boards ---

# for the I2S microphone of a Raspberry Pi; left out where they cannot be compiled
OVERLAYS := $(if $(shell command -v dtc),build/board/chalkbox-mic.dtbo)
DEB_CHECK += device-tree-compiler systemd

build/board/%.dtbo: board/overlays/%.dts
	@mkdir -p $(@D)
	$(say) DTC $@
	$(Q)dtc -@ -I dts -O dtb -o $@ $<

install-box: install-overlays
install-overlays: $(OVERLAYS)
	$(if $(OVERLAYS),$(call put,644,$(prefix)/share/chalkbox/overlays,$(OVERLAYS)))

wiring: ## Draw board/wiring.svg and its I2S sister anew from the boards' files
	$(PYTHON) board/wiring.py board/pi.conf > board/wiring.svg
	$(PYTHON) board/wiring.py board/pi-i2s.conf > board/wiring-i2s.svg
.PHONY: install-overlays wiring

# --- packages ---

RELEASE ?= trixie
ARCH ?= arm64
DEB_DEB := mmdebstrap dpkg-dev uidmap debian-archive-keyring rsync $(DEB_WEB)

deb: ## Debian packages into build/deb (RELEASE=trixie|bookworm|all ARCH=arm64|amd64|all)
	$(call install_missing,$(DEB_DEB))
	@$(MAKE) -s --no-print-directory build/web/ready
	@for release in $(if $(filter all,$(RELEASE)),trixie bookworm,$(RELEASE)); do \
		for arch in $(if $(filter all,$(ARCH)),arm64 amd64,$(ARCH)); do \
			board/deb.sh $$release $$arch || exit 1; \
		done; \
	done

# every package on a Debian that has nothing else
PACKAGES_TEST := tests/board/test_packages.py
OWN_ARCH = $(shell dpkg --print-architecture)

check-deb: ## Install, upgrade, remove and purge our packages (RELEASE=trixie|bookworm|all)
	@$(MAKE) --no-print-directory deb ARCH=$(OWN_ARCH)
	@CHALKBOX_RELEASES="$(if $(filter all,$(RELEASE)),trixie bookworm,$(RELEASE))" \
		tests/run --label packages $(PACKAGES_TEST)
.PHONY: check-deb

# --- the virtual board ---

DEB_BOARD := qemu-system-arm qemu-utils qemu-user-static mmdebstrap debian-archive-keyring \
	device-tree-compiler e2fsprogs kmod cpio xz-utils util-linux opus-tools python3 espeak-ng sox

BOARD_TESTS ?= $(filter-out $(PACKAGES_TEST),$(sort $(wildcard tests/board/test_*.py)))

check-board: ## Boot an arm64 board with our packages and drive it (RELEASE=trixie|bookworm)
	@$(board_ready)
	@CHALKBOX_VM_RELEASE=$(RELEASE) tests/run --jobs 2 --label board $(BOARD_TESTS)

bench-board: ## What the recorder costs on arm64, beside arecord and opusenc there
	@$(board_ready)
	@CHALKBOX_VM_RELEASE=$(RELEASE) $(PYTHON) tests/bench/board.py $(BENCH)

# Tools, packages, images and programs, unless there can be no virtual board here
board_ready = $(MAKE) --no-print-directory board-tools || \
		echo "Not all of it can be installed here."; \
	$(MAKE) --no-print-directory board-images && \
	$(call in,release,all build/lesson/lesson.wav)

board-images:
	@if [ -z "$$($(PYTHON) -B board/vm/vm.py)" ]; then \
		$(MAKE) --no-print-directory deb RELEASE=$(RELEASE) ARCH=arm64 && \
		board/vm/build --release $(RELEASE) --base > /dev/null; \
	fi

board-tools:
	$(call install_missing,$(DEB_BUILD) $(DEB_DEB) $(DEB_BOARD))
.PHONY: check-board bench-board board-images board-tools

# --- the rest ---

pictures: check-web ## Renew the README's pictures from the pages as they are
	cp build/screenshots/observation-light.png build/screenshots/observation-dark.png \
		app/web/pictures/

format: ## Lay out every C file as .clang-format says
	clang-format -i $(shell git ls-files '*.c' '*.h')

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS="$$(printf '\t')" read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

clean: ## Remove everything built
	rm -rf build

.PHONY: all pictures demo demo-run console console-run check check-unit check-system check-crash unit fuzz bench install install-box install-server \
	install-sim deb format help clean
.SECONDARY:
.DELETE_ON_ERROR:
