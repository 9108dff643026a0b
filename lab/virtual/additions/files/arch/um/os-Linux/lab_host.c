// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the lab's additions that talks to the machine below: seeded random numbers, and an
 * answer to a signal. It is compiled against the C library, not against the kernel's headers.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <lab_host.h>

/*
 * splitmix64 (Steele, Lea, Flood 2014): each seed, 0 included, has a sequence of its own. The kernel's
 * generator hashes these numbers, so a better one is not needed.
 */
static unsigned long long next_number(unsigned long long *state)
{
	unsigned long long z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

ssize_t lab_getrandom(void *buf, size_t len, unsigned int flags)
{
	static unsigned long long state;
	static int seeded;
	const char *seed = getenv("UM_SEED");
	unsigned char *out = buf;
	size_t i;

	if (!seed)
		return getrandom(buf, len, flags);
	if (!seeded) {
		state = strtoull(seed, NULL, 0);
		seeded = 1;
	}
	for (i = 0; i < len; i++)
		out[i] = next_number(&state) >> 56;
	return len;
}

/*
 * This runs on top of whatever the kernel does, or while it waits for a program that computes. It takes
 * no lock and changes nothing of the kernel's, so virtual time does not notice.
 */
static void answer(int sig)
{
	int error = errno, length;
	char line[192];

	length = lab_status(line, sizeof(line));
	if (write(STDOUT_FILENO, line, length) < 0)
		length = 0;	/* nobody reads it: not the kernel's concern */
	errno = error;
}

void lab_answer_signal(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = answer;
	action.sa_flags = SA_RESTART;
	sigfillset(&action.sa_mask);
	sigaction(SIGUSR2, &action, NULL);
}
