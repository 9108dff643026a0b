// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the lab's additions that talks to the machine below: seeded random numbers, and an
 * answer to a signal. It is compiled against the C library, not against the kernel's headers.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/syscall.h>
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

/* A program that took so much of the processor's time without a system call is interrupted (ns). */
#define LONG 200000000LL
/* It is looked at so often (ns of the machine's time). */
#define LOOK 50000000LL
/* No signal that user-mode Linux uses. */
#define SIGLOOK (SIGRTMIN + 1)

static long long processor_time(int pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return used.tv_sec * 1000000000LL + used.tv_nsec;
}

/*
 * Runs while the kernel waits for a program, or on top of what it does. The processor's time and not that of
 * a clock, so that it does not depend on what else the machine does. The signal reaches a program when it
 * computes; in the kernel's hands it is blocked.
 */
static void look(int sig)
{
	static unsigned long last_turn;
	static long long since;
	static int last;
	int error = errno, pid;
	unsigned long turn;
	long long now;

	pid = lab_program(&turn);
	now = pid > 0 ? processor_time(pid) : 0;
	if (pid != last || turn != last_turn) {
		last = pid;
		last_turn = turn;
		since = now;
	} else if (pid > 0 && now - since > LONG) {
		since = now;
		lab_interrupted();
		kill(pid, SIGALRM);
	}
	errno = error;
}

void lab_watch_programs(void)
{
	struct itimerspec every = { { 0, LOOK }, { 0, LOOK } };
	struct sigaction action;
	struct sigevent event;
	timer_t timer;

	memset(&action, 0, sizeof(action));
	action.sa_handler = look;
	action.sa_flags = SA_RESTART;
	sigfillset(&action.sa_mask);
	sigaction(SIGLOOK, &action, NULL);
	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGLOOK;
	event._sigev_un._tid = syscall(SYS_gettid);
	if (!timer_create(CLOCK_MONOTONIC, &event, &timer))
		timer_settime(timer, 0, &every, NULL);
}
