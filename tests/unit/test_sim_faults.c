/* What can go wrong with the simulated card, as with a real one. */
#include "tests/unit/sim_bench.h"

#include <poll.h>

static void a_reader_that_comes_too_late_gets_a_true_overrun(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	f->buffer_ms = 1000;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	until(now_ns() + NS_PER_S / SPEED + NS_PER_S / 1000);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EPIPE);
	assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_XRUN);
	assert_int_equal(snd_pcm_wait(f->pcm, 1000), -EPIPE);
	assert_int_equal(snd_pcm_prepare(f->pcm), 0);
	int64_t first = mic_start(f, 300);
	follows(f, first, 300);
}

static void a_stall_longer_than_the_buffer_is_an_overrun(void **state)
{
	struct fixture *f = *state;
	int r;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:4.5", 1);
	assert_int_equal(mic_open(f, 0), 0);
	int n = RATE_HZ / 10;
	int64_t next = follows(f, mic_start(f, n), n);
	while ((r = (int)snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n)) > 0) {
		next = follows(f, next, r);
	}
	int64_t end_ns = f->epoch_ns + (int64_t)(5.5 / SPEED * 1e9);
	assert_int_equal(r, -EPIPE);
	assert_true(now_ns() >= end_ns);
	assert_true(next <= RATE_HZ);
	assert_int_equal(snd_pcm_prepare(f->pcm), 0);
	assert_true(follows(f, mic_start(f, n), n) >= RATE_HZ * 11 / 2);
}

static void a_stall_shorter_than_the_buffer_only_delays(void **state)
{
	struct fixture *f = *state;
	bool stalled = false;
	struct pollfd pfd;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:1.5", 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	int64_t from_ns = f->epoch_ns + (int64_t)(1.0 / SPEED * 1e9);
	int64_t to_ns = f->epoch_ns + (int64_t)(2.5 / SPEED * 1e9);
	int64_t next = -1;
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	while (next < RATE_HZ * 3) {
		unsigned short events;
		int64_t before_ns = now_ns();
		assert_int_equal(poll(&pfd, 1, 2000), 1);
		assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
		int64_t after_ns = now_ns();
		if (before_ns >= from_ns && after_ns < to_ns) {
			assert_int_equal(events, 0);
		}
		int r = (int)snd_pcm_readi(f->pcm, f->frames, RATE_HZ / 10);
		if (r == -EAGAIN) {
			/* not read, yet the frames go on arriving */
			stalled = stalled || (events == 0 && after_ns >= from_ns);
			continue;
		}
		assert_true(r > 0);
		assert_false(before_ns >= from_ns && now_ns() < to_ns);
		next = follows(f, next < 0 ? index_of(f->frames[0]) : next, r);
	}
	assert_true(stalled || next >= RATE_HZ * 5 / 2);
}

static void frames_go_on_arriving_while_the_reader_is_stalled(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd;
	unsigned short events;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:10", 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	until(f->epoch_ns + NS_PER_S * 3 / 2 / SPEED);
	/* the wake was due before the stall: it is taken back */
	assert_int_equal(poll(&pfd, 1, 1000), 1);
	assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
	assert_int_equal(events, 0);
	assert_int_equal(poll(&pfd, 1, 1), 0);
	assert_true(snd_pcm_avail(f->pcm) >= RATE_HZ);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EAGAIN);
	until(f->epoch_ns + NS_PER_S * 6 / SPEED);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EPIPE);
}

static void a_dead_card_runs_and_gives_nothing(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "dead@1:2", 1);
	assert_int_equal(mic_open(f, 0), 0);
	int64_t next = follows(f, mic_start(f, 1), 1);
	int rest = (int)(RATE_HZ - next);
	until(f->epoch_ns + NS_PER_S * 3 / 2 / SPEED);
	int avail = (int)snd_pcm_avail(f->pcm);
	assert_in_range(avail, rest - BURST, rest);
	mic_read(f, avail);
	next = follows(f, next, avail);
	if (now_ns() < f->epoch_ns + NS_PER_S * 5 / 2 / SPEED) {
		assert_int_equal(snd_pcm_avail(f->pcm), 0);
		assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_RUNNING);
		assert_int_equal(snd_pcm_wait(f->pcm, 1), 0);
	}
	int n = RATE_HZ / 10;
	mic_read(f, n);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S * 3 / SPEED);
	/* the frames of the last burst before it, and then those of two seconds on */
	rest -= avail;
	next = follows(f, next, rest);
	memmove(f->frames, f->frames + rest, (size_t)(n - rest) * sizeof(f->frames[0]));
	follows(f, next + RATE_HZ * 2, n - rest);
}

/* Reads until the fault, which is in a second; the frame that is read next. */
static int64_t read_until(struct fixture *f, const char *fault, int error, snd_pcm_state_t state)
{
	int r, n = RATE_HZ / 10;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", fault, 1);
	assert_int_equal(mic_open(f, 0), 0);
	int64_t next = follows(f, mic_start(f, n), n);
	while ((r = (int)snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n)) > 0) {
		next = follows(f, next, r);
	}
	assert_int_equal(r, error);
	assert_true(next <= RATE_HZ);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S / SPEED);
	assert_int_equal(snd_pcm_state(f->pcm), state);
	assert_int_equal(snd_pcm_wait(f->pcm, 1000), error);
	return next;
}

/* A poll, on a card that gives nothing, is woken by the fault. */
static void is_woken(struct fixture *f, const char *faults, int error)
{
	struct pollfd pfd;
	unsigned short events;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", faults, 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	assert_int_equal(poll(&pfd, 1, 2000), 1);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S / SPEED);
	assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
	assert_int_equal(events & POLLERR, POLLERR);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 1), error);
}

static void an_unplugged_card_is_gone_until_it_is_back(void **state)
{
	struct fixture *f = *state;
	int r, n = RATE_HZ / 10;

	read_until(f, "unplug@1:2", -ENODEV, SND_PCM_STATE_DISCONNECTED);
	assert_true(snd_pcm_prepare(f->pcm) < 0);
	mic_close(f);

	int64_t back_ns = f->epoch_ns + NS_PER_S * 3 / SPEED;
	for (;;) {
		r = mic_open(f, 0);
		if (r == 0) {
			break;
		}
		assert_int_equal(r, -ENODEV);
		until(now_ns() + NS_PER_S / 1000);
	}
	assert_true(now_ns() >= back_ns);
	follows(f, mic_start(f, n), n);
}

static void a_poll_is_woken_by_the_unplugging(void **state)
{
	is_woken(*state, "dead@0:20,unplug@1:2", -ENODEV);
}

static void a_card_may_appear_after_the_start(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, -1, 0);
	setenv("CHALKBOX_SIM_FAULTS", "unplug@0:2", 1);
	assert_int_equal(mic_open(f, 0), -ENODEV);
	until(f->epoch_ns + NS_PER_S * 2 / SPEED);
	assert_int_equal(mic_open(f, 0), 0);
	mic_start(f, 100);
}

#define SUSPENDED "suspend@1:2", -ESTRPIPE, SND_PCM_STATE_SUSPENDED

static void a_suspended_card_goes_on_when_it_is_resumed(void **state)
{
	struct fixture *f = *state;
	int64_t next = read_until(f, SUSPENDED);
	int rest = (int)(RATE_HZ - next), n = RATE_HZ / 10;

	assert_int_equal(snd_pcm_resume(f->pcm), 0);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S * 3 / SPEED);
	assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_RUNNING);
	/* what was in it, and then what sounds since */
	mic_read(f, n);
	assert_in_range(rest, 0, n - 1);
	next = follows(f, next, rest);
	memmove(f->frames, f->frames + rest, (size_t)(n - rest) * sizeof(f->frames[0]));
	follows(f, next + RATE_HZ * 2, n - rest);
	assert_int_equal(snd_pcm_prepare(f->pcm), -EBUSY); /* as the kernel has it */
}

static void or_begins_anew_when_it_is_prepared(void **state)
{
	struct fixture *f = *state;
	int n = RATE_HZ / 10;

	read_until(f, SUSPENDED);
	assert_int_equal(snd_pcm_prepare(f->pcm), 0);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S * 3 / SPEED);
	follows(f, mic_start(f, n), n);
}

static void a_poll_is_woken_by_the_suspending(void **state)
{
	is_woken(*state, "dead@0:20,suspend@1:2", -ESTRPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_reader_that_comes_too_late_gets_a_true_overrun),
		TEST(a_stall_longer_than_the_buffer_is_an_overrun),
		TEST(a_stall_shorter_than_the_buffer_only_delays),
		TEST(frames_go_on_arriving_while_the_reader_is_stalled),
		TEST(a_dead_card_runs_and_gives_nothing),
		TEST(an_unplugged_card_is_gone_until_it_is_back),
		TEST(a_poll_is_woken_by_the_unplugging),
		TEST(a_card_may_appear_after_the_start),
		TEST(a_suspended_card_goes_on_when_it_is_resumed),
		TEST(or_begins_anew_when_it_is_prepared),
		TEST(a_poll_is_woken_by_the_suspending),
#undef TEST
	};

	if (!sim_found()) {
		return 1;
	}
	int r = cmocka_run_group_tests_name("sim_faults", tests, NULL, NULL);
	snd_config_update_free_global();
	return r;
}
