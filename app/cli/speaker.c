#include "app/cli/speaker.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAV_HEADER_BYTES 44
#define SAMPLE_BYTES 2

/* All the sound to a descriptor, as little-endian 16-bit samples. */
static int pour(struct sound *sound, int fd, int64_t *ret_frames, struct error *error)
{
	int channels = sound_channels(sound), frames, r;
	int16_t *samples = malloc(SOUND_READ_SAMPLES * sizeof(*samples));
	int64_t total = 0;

	if (samples == NULL) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	while ((frames = sound_read(sound, samples, SOUND_READ_SAMPLES, error)) > 0) {
		unsigned char *bytes = (unsigned char *)samples;

		for (int i = 0; i < frames * channels; i++) { /* in place, on any machine */
			uint16_t value = (uint16_t)samples[i];

			bytes[i * 2] = (unsigned char)value;
			bytes[i * 2 + 1] = (unsigned char)(value >> 8);
		}
		r = file_write(fd, samples, (size_t)(frames * channels) * SAMPLE_BYTES);
		if (r < 0) {
			free(samples);
			return error_set(error, r, "%s", strerrordesc_np(-r));
		}
		total += frames;
	}
	free(samples);
	if (frames < 0) {
		return frames;
	}
	*ret_frames = total;
	return 0;
}

static int spawn_aplay(
	int channels, const char *device, int input, pid_t *ret_pid, struct error *error)
{
	char rate[16], count[16];
	const char *argv[] = {"aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", rate, "-c", count,
		device != NULL ? "-D" : NULL, device, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t restore;
	int r;

	snprintf(rate, sizeof(rate), "%d", SOUND_RATE_HZ);
	snprintf(count, sizeof(count), "%d", channels);
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0) {
		return error_set(error, -r, "aplay: %s", strerrordesc_np(r));
	}
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		sigemptyset(&restore);
		sigaddset(&restore, SIGPIPE); /* ignored here, not there */
		posix_spawnattr_setsigdefault(&attributes, &restore);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
		r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
		if (r == 0) {
			r = posix_spawnp(ret_pid, "aplay", &actions, &attributes,
				(char *const *)argv, environ);
		}
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT) {
		return error_set(error, -r,
			"aplay: not found; install alsa-utils, or write the sound "
			"into a file with --out");
	}
	return r != 0 ? error_set(error, -r, "aplay: %s", strerrordesc_np(r)) : 0;
}

int speaker_play(struct sound *sound, const char *device, struct error *error)
{
	int ends[2], status, r;
	int64_t frames;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		r = -errno;
		return error_set(error, r, "pipe: %m");
	}
	r = spawn_aplay(sound_channels(sound), device, ends[0], &pid, error);
	close(ends[0]);
	if (r < 0) {
		close(ends[1]);
		return r;
	}
	r = pour(sound, ends[1], &frames, error);
	close(ends[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		return error_set(error, -EIO,
			"aplay: could not play on %s, as it said above; name another "
			"device with --device (`aplay -L` lists them), or write a file with --out",
			device != NULL ? device : "the default device");
	}
	return r;
}

static void put_le(unsigned char *at, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		at[i] = (unsigned char)(value >> (8 * i));
	}
}

/* The 44 bytes before the samples of a canonical PCM WAV file. */
static void wav_header(unsigned char header[static WAV_HEADER_BYTES], int channels, int64_t frames)
{
	uint32_t frame_bytes = (uint32_t)channels * SAMPLE_BYTES;
	uint32_t bytes = (uint32_t)frames * frame_bytes;

	memcpy(header, "RIFF____WAVEfmt ", 16);
	put_le(header + 4, bytes + WAV_HEADER_BYTES - 8, 4);
	put_le(header + 16, 16, 4); /* the size of fmt */
	put_le(header + 20, 1, 2); /* PCM */
	put_le(header + 22, (uint32_t)channels, 2);
	put_le(header + 24, SOUND_RATE_HZ, 4);
	put_le(header + 28, SOUND_RATE_HZ * frame_bytes, 4);
	put_le(header + 32, frame_bytes, 2);
	put_le(header + 34, SAMPLE_BYTES * 8, 2);
	memcpy(header + 36, "data", 4);
	put_le(header + 40, bytes, 4);
}

int speaker_write(struct sound *sound, const char *path, struct error *error)
{
	unsigned char header[WAV_HEADER_BYTES] = {0};
	char part[FILE_PATH_CHARS];
	int64_t frames = 0;
	struct stat there;
	int fd, r;

	if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) { /* it would be replaced */
		return error_set(error, -EEXIST, "%s: is there and is no file; name another", path);
	}
	r = file_path(part, sizeof(part), "%s.part", path);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", path);
	}
	unlink(part); /* whoever made it could read ours */
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = -errno;
		return error_set(error, r, "%s: %m", part);
	}
	r = file_write(fd, header, sizeof(header));
	if (r == 0) {
		r = pour(sound, fd, &frames, error);
	}
	if (r == 0) {
		wav_header(header, sound_channels(sound), frames);
		r = pwrite(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header) ? 0 : -EIO;
	}
	if (close(fd) < 0 && r == 0) {
		r = -errno;
	}
	if (r == 0 && rename(part, path) < 0) {
		r = -errno;
	}
	if (r < 0) {
		unlink(part);
		return error_prefix(error, r, "%s", path);
	}
	return 0;
}
