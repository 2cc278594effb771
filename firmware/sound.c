#include "firmware/sound.h"

#include "firmware/report.h"
#include "firmware/space.h"

#include <errno.h>
#include <string.h>

#define HOLD_LOOKS_BACK_S 2 /* a hold's sound is wished for second by second */
#define LAST_SOUND_NS (500 * NS_PER_MS) /* a few periods of the card */
#define LOOK_NS (50 * NS_PER_MS)
#define SHOWN_NS (2 * NS_PER_S) /* at least, however soon it is over */

/* What the keeper could not write shows that the disk is full or worse. */
static void result(struct sound *sound, int64_t now_ns, int code, const struct error *error,
	struct recorder *recorder)
{
	if (code < 0 && !sound->no_room) {
		sound->no_room = true;
		sound->no_room_ns = now_ns;
		keeper_stop(sound->keeper, true);
		report_fault(recorder, now_ns, "snippets", true, error->text);
		if (recorder->mic == MIC_LIVE) {
			recorder_mic(recorder, now_ns, MIC_FULL,
				&(struct facts){.cause = "snippets cannot be written"});
		}
	}
}

static void stop(struct sound *sound, int64_t now_ns, struct recorder *recorder)
{
	struct error error;
	meter_flush(&sound->meter, now_ns, recorder);
	int r = keeper_cut(sound->keeper, now_ns, recorder, &error);
	result(sound, now_ns, r, &error, recorder);
}

static void hear(struct sound *sound, const struct heard *heard, struct recorder *recorder)
{
	struct facts facts = {.rate_hz = heard->rate_hz};
	snprintf(facts.card, sizeof(facts.card), "%s", heard->card);
	snprintf(facts.cause, sizeof(facts.cause), "%s", heard->cause);
	switch (heard->what) {
	case HEARD_LIVE:
		report(LOG_NOTICE, "microphone %s is live at %d Hz", heard->card, heard->rate_hz);
		recorder_mic(recorder, heard->t_ns, sound->no_room ? MIC_FULL : MIC_LIVE, &facts);
		break;
	case HEARD_LOST:
		report(LOG_WARNING, "%s", heard->cause);
		stop(sound, heard->t_ns, recorder);
		recorder_mic(recorder, heard->t_ns, MIC_LOST, &facts);
		break;
	case HEARD_MUTED:
		report(LOG_NOTICE, "microphone is muted");
		stop(sound, heard->t_ns, recorder);
		ring_wipe(sound->ring);
		recorder_mic(recorder, heard->t_ns, MIC_MUTED, &facts);
		break;
	case HEARD_GAP:
		report(LOG_WARNING, "microphone: %.3f s of sound were lost (%s)",
			(double)(heard->t_ns - heard->from_ns) / (double)NS_PER_S, heard->cause);
		facts.from_ns = heard->from_ns;
		facts.to_ns = heard->t_ns;
		recorder_note(recorder, ENTRY_GAP, heard->t_ns, recorder->observation, 0,
			&facts);
		break;
	}
}

void sound_take(struct sound *sound, struct recorder *recorder)
{
	struct heard next;
	while (sound->listener && listener_next(sound->listener, &next)) {
		hear(sound, &next, recorder);
	}
}

static int64_t longest_before_ns(const struct scheme *scheme)
{
	int longest_s = HOLD_LOOKS_BACK_S;
	for (size_t i = 0; i < scheme->n_codes; i++) {
		int before_s = scheme->codes[i].before_s;
		longest_s = before_s > longest_s ? before_s : longest_s;
	}
	return longest_s * NS_PER_S;
}

/* The ended observation's sound is all there is going to be: finish it. */
void sound_end(struct sound *sound, int64_t now_ns, struct recorder *recorder)
{
	struct error error;
	if (!sound->listener || !sound->ending_ns) {
		return;
	}
	meter_stop(&sound->meter, now_ns, recorder);
	int r = keeper_end(sound->keeper, sound->ending_ns, now_ns, recorder, &error);
	result(sound, now_ns, r, &error, recorder);
	sound->ending_ns = 0;
}

/* Whether what was heard up to @t_ns has come out of the card by now. */
static bool has_come(struct sound *sound, int64_t t_ns, int64_t now_ns)
{
	int64_t heard_ns;
	return now_ns - t_ns > LAST_SOUND_NS ||
		!listener_time(sound->listener, ring_span(sound->ring).head, &heard_ns) ||
		heard_ns >= t_ns;
}

/* The wishes whose sound ends in (@after_ns, @to_ns]: one observation's. */
static void keep_all(struct sound *sound, const struct recorder_out *out, int64_t after_ns,
	int64_t to_ns)
{
	for (size_t i = 0; i < out->n_keeps; i++) {
		if (out->keeps[i].to_ns > after_ns && out->keeps[i].to_ns <= to_ns) {
			keeper_keep(sound->keeper, &out->keeps[i]);
		}
	}
}

void sound_wish(struct sound *sound, int64_t now_ns, struct recorder *recorder)
{
	struct recorder_out *out = &recorder->out;
	if (!sound->listener) {
		return;
	}
	if (recorder->mute_wanted != sound->muted) {
		sound->muted = recorder->mute_wanted;
		listener_mute(sound->listener, sound->muted);
	}
	if (out->ended_ns) {
		sound_end(sound, now_ns, recorder);
		keep_all(sound, out, 0, out->ended_ns);
		sound->ending_ns = out->ended_ns;
	}
	if (recorder->observation) {
		sound_end(sound, now_ns, recorder); /* before another one's begins */
		keeper_belong(sound->keeper, recorder->observation, recorder->boot);
		if (!sound->meter.running) {
			meter_start(&sound->meter, recorder->started_ns,
				recorder->observation);
		}
	}
	keep_all(sound, out, out->ended_ns, INT64_MAX);
	out->ended_ns = 0;
	out->n_keeps = 0;
}

void sound_advance(struct sound *sound, int64_t now_ns, struct recorder *recorder)
{
	struct error error;
	if (!sound->listener) {
		return;
	}
	if (sound->ending_ns && has_come(sound, sound->ending_ns, now_ns)) {
		sound_end(sound, now_ns, recorder);
	}
	if (now_ns >= meter_deadline(&sound->meter)) {
		meter_advance(&sound->meter, now_ns, recorder);
	}
	if (now_ns >= keeper_deadline(sound->keeper)) {
		int r = keeper_advance(sound->keeper, now_ns, recorder, &error);
		result(sound, now_ns, r, &error, recorder);
	}
}

void sound_look_at_space(struct sound *sound, int64_t now_ns, struct recorder *recorder)
{
	bool room = space_for_sound(sound->config);
	if (!room && !sound->no_room) {
		result(sound, now_ns, -ENOSPC,
			&(struct error){"little room is left: sound is not kept, events are"},
			recorder);
	} else if (room && sound->no_room && now_ns - sound->no_room_ns >= SHOWN_NS) {
		sound->no_room = false;
		keeper_stop(sound->keeper, false);
		report_fault(recorder, now_ns, "snippets", false, NULL);
		if (recorder->mic == MIC_FULL) {
			recorder_mic(recorder, now_ns, MIC_LIVE, &(struct facts){0});
		}
	}
	if (room) {
		(void)!space_reserve(sound->config); /* once there is room again */
	}
}

void sound_follow(struct sound *sound, const struct scheme *scheme)
{
	keeper_look_back(sound->keeper, longest_before_ns(scheme));
}

int64_t sound_deadline(const struct sound *sound, int64_t now_ns)
{
	int64_t meter_ns = meter_deadline(&sound->meter);
	int64_t keeper_ns = keeper_deadline(sound->keeper);
	int64_t soonest_ns = meter_ns < keeper_ns ? meter_ns : keeper_ns;
	if (sound->ending_ns && now_ns + LOOK_NS < soonest_ns) {
		soonest_ns = now_ns + LOOK_NS;
	}
	return soonest_ns;
}

int sound_fd(const struct sound *sound)
{
	return sound->listener ? listener_fd(sound->listener) : -1;
}

int sound_dir(const struct sound *sound)
{
	return keeper_dir(sound->keeper);
}

int sound_open(struct sound *sound, const struct config *config, const struct scheme *scheme,
	const char *boot_id, struct error *error)
{
	*sound = (struct sound){.config = config, .ring = ring_new()};
	if (!sound->ring) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	int r = config->sound ? listener_new(config, sound->ring, &sound->listener) : 0;
	if (r < 0) {
		return error_set(error, r, "listener: %s", strerror(-r));
	}
	meter_init(&sound->meter, sound->ring, sound->listener);
	return keeper_open(config, sound->ring, sound->listener, boot_id,
		longest_before_ns(scheme), &sound->keeper, error);
}

int sound_start(struct sound *sound, const struct recorder *recorder)
{
	sound->muted = recorder->mute_wanted;
	return sound->listener ? listener_start(sound->listener, sound->muted) : 0;
}

void sound_close(struct sound *sound)
{
	listener_free(sound->listener);
	keeper_close(sound->keeper);
	ring_free(sound->ring);
}

bool sound_level(struct sound *sound, struct level *ret_level)
{
	return sound->listener && !sound->muted &&
		level_look(sound->ring, listener_rate_hz(sound->listener), ret_level);
}
