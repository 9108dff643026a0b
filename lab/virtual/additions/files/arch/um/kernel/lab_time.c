// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual time for whole labs (time-travel=inf-cpu): what work costs, and naps for loops that only poll.
 * All knobs and counters are in /sys/module/lab_time/parameters/.
 *
 * A host is the PID namespace just below the first one, with all PID namespaces inside it. It has one
 * CPU for work that has a price: prices of its threads and processes add up one after the other.
 */
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/lab_time.h>
#include <linux/moduleparam.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/time-internal.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <asm/unistd.h>
#include <lab_host.h>

#define MOST_PRICES 8

/* The clock has steps of 256 ns, so a sleeper wakes up to two of them late (ns). */
#define LATE 512

/* A poll that ends so soon after the last one (ns) did not wait; so many of them that found nothing are a loop. */
#define AT_ONCE 10000
#define EMPTY_POLLS 16u

/* A thread that polls for nothing sleeps so long (ns); 0: never. */
static unsigned int spin_ns = 20000;
module_param(spin_ns, uint, 0644);

/* What each packet that Open vSwitch sends up costs the process that receives it (ns). */
static unsigned int upcall_ns;
module_param(upcall_ns, uint, 0644);

/* Counted since boot: naps; calls and upcalls with a price; the sum of these prices (ns). */
static unsigned long spins, charged, upcalls;
static unsigned long long charged_ns;
module_param(spins, ulong, 0444);
module_param(charged, ulong, 0444);
module_param(upcalls, ulong, 0444);
module_param(charged_ns, ullong, 0444);

/* What each successful read, write, send or receive costs processes whose name begins so. */
struct price {
	char comm[TASK_COMM_LEN];
	unsigned long long ns;
};

static struct price prices[MOST_PRICES];
static int price_count;

/* "comm:ns" into a price. */
static int parse_price(const char *word, int length, struct price *price)
{
	char text[TASK_COMM_LEN + 24], *colon;

	if (length >= sizeof(text))
		return -EINVAL;
	memcpy(text, word, length);
	text[length] = 0;
	colon = strrchr(text, ':');
	if (!colon || colon == text || colon - text >= TASK_COMM_LEN)
		return -EINVAL;
	*colon = 0;
	strscpy(price->comm, text, sizeof(price->comm));
	return kstrtoull(colon + 1, 10, &price->ns);
}

/* "comm:ns,comm:ns": all prices at once, or none of them where one is wrong. */
static int set_prices(const char *value, const struct kernel_param *parameter)
{
	struct price fresh[MOST_PRICES];
	int count = 0, length, error;

	while (*value) {
		length = strcspn(value, ",\n");
		if (length) {
			if (count == MOST_PRICES)
				return -E2BIG;
			error = parse_price(value, length, &fresh[count++]);
			if (error)
				return error;
		}
		value += length;
		value += *value != 0;
	}
	memcpy(prices, fresh, count * sizeof(fresh[0]));
	price_count = count;
	return 0;
}

static int get_prices(char *buffer, const struct kernel_param *parameter)
{
	int i, length = 0;

	for (i = 0; i < price_count; i++)
		length += sprintf(buffer + length, "%s%s:%llu", i ? "," : "", prices[i].comm, prices[i].ns);
	return length + sprintf(buffer + length, "\n");
}

static const struct kernel_param_ops price_ops = { .set = set_prices, .get = get_prices };
module_param_cb(prices, &price_ops, NULL, 0644);

static unsigned long long price_of_call(void)
{
	const char *comm = current->group_leader->comm;
	int i;

	for (i = 0; i < price_count; i++)
		if (str_has_prefix(comm, prices[i].comm))
			return prices[i].ns;
	return 0;
}

/* How many priced operations a call was: messages, for those that move several; 0 where it has no price. */
static long operations(int nr, long ret)
{
	if (ret < 0)
		return 0;
	switch (nr) {
	case __NR_read: case __NR_write: case __NR_readv: case __NR_writev:
	case __NR_recvfrom: case __NR_recvmsg: case __NR_sendto: case __NR_sendmsg:
		return 1;
	case __NR_recvmmsg: case __NR_sendmmsg:
		return ret;
	}
	return 0;
}

static void sleep_until(ktime_t until)
{
	/* killable: a process that is killed does not first work off what it owes */
	set_current_state(TASK_KILLABLE);
	schedule_hrtimeout(&until, HRTIMER_MODE_ABS);
}

/* The clock (ns). With interrupts off, reading it takes no virtual time. */
static u64 now_ns(void)
{
	unsigned long flags;
	u64 now;

	local_irq_save(flags);
	now = ktime_get_ns();
	local_irq_restore(flags);
	return now;
}

/*
 * Occupy the host's CPU for so long (ns), after all that has occupied it before. Work that follows at once
 * begins where the former work ended, and not where its sleeper woke: so the sum is exact.
 */
static void charge(u64 cost)
{
	struct pid_namespace *host = task_active_pid_ns(current);
	u64 now = now_ns();

	while (host->level > 1)
		host = host->parent;
	if (now > host->lab_busy_until + LATE)
		host->lab_busy_until = now;
	host->lab_busy_until += cost;
	charged_ns += cost;
	sleep_until(ns_to_ktime(host->lab_busy_until));
}

static void charge_for(int nr, long ret)
{
	unsigned int received = current->thread.lab_upcalls;
	unsigned long long cost = 0, price;
	long calls;

	current->thread.lab_upcalls = 0;
	if (price_count && (calls = operations(nr, ret)) && (price = price_of_call())) {
		charged += calls;
		cost += calls * price;
	}
	if (received && upcall_ns) {
		upcalls += received;
		cost += (u64)received * upcall_ns;
	}
	if (cost)
		charge(cost);
}

/*
 * A thread that polls again although its last poll said "ready", and that has only read the clock in
 * between, would poll for ever at 256 ns a clock read: computing takes no time here. It sleeps instead.
 * So does one that has polled many times in a row without waiting, and found nothing: iperf3 waits so for
 * the results of a UDP test. A runtime may look for work several times in one moment, so it is many.
 * A poll that had to wait does not count: a capture reads packets from shared memory, without a call.
 */
static void nap_if_spinning(int nr, long ret)
{
	struct thread_struct *thread = &current->thread;
	unsigned int empty = 0;
	bool ready = false;

	switch (nr) {
	case __NR_clock_gettime: case __NR_gettimeofday: case __NR_time:
		return;
	case __NR_select: case __NR_pselect6: case __NR_poll: case __NR_ppoll:
	case __NR_epoll_wait: case __NR_epoll_pwait: case __NR_epoll_pwait2:
		ready = ret > 0 && current->nvcsw == thread->lab_waits;
		if (ret == 0 && now_ns() - thread->lab_polled < AT_ONCE)
			empty = min(thread->lab_empty + 1, EMPTY_POLLS);
		if (((ready && thread->lab_ready) || empty == EMPTY_POLLS) && spin_ns) {
			spins++;
			sleep_until(ns_to_ktime(now_ns() + spin_ns));
		}
		thread->lab_polled = now_ns();
	}
	thread->lab_waits = current->nvcsw;
	thread->lab_ready = ready;
	thread->lab_empty = empty;
}

void lab_upcall_received(void)
{
	current->thread.lab_upcalls++;
}

void lab_syscall_done(int nr, long ret)
{
	if (time_travel_mode != TT_MODE_INFCPU && time_travel_mode != TT_MODE_EXTERNAL)
		return;
	nap_if_spinning(nr, ret);
	if (price_count || current->thread.lab_upcalls)
		charge_for(nr, ret);
}

/*
 * The processor's counter of cycles belongs to the machine below: programs that read it would see wall time.
 * So the instructions trap (see stub_exe.c), and the counter is the clock: one cycle a ns.
 */
bool lab_emulate_tsc(struct uml_pt_regs *regs)
{
	unsigned long ip = UPT_IP(regs);
	u8 code[3] = {};
	int length = 2;
	u64 now;

	if (copy_from_user(code, (void __user *)ip, 2) || code[0] != 0x0f)
		return false;
	if (code[1] == 0x01 && !copy_from_user(code + 2, (void __user *)(ip + 2), 1) && code[2] == 0xf9) {
		length = 3;	/* rdtscp, which also names the processor */
		REGS_CX(regs->gp) = 0;
	} else if (code[1] != 0x31) {
		return false;
	}
	now = ktime_get_ns();
	REGS_AX(regs->gp) = (u32)now;
	REGS_DX(regs->gp) = now >> 32;
	REGS_IP(regs->gp) = ip + length;
	return true;
}

/* Called from a signal of the machine below: it only reads. */
int lab_status(char *line, int size)
{
	struct task_struct *task = current;
	struct nsproxy *spaces = task->nsproxy;

	return scnprintf(line, size, "lab_time: %llu ns, process %d (%s) on %s\n", lab_now(), task->tgid,
			 task->group_leader->comm, spaces ? spaces->uts_ns->name.nodename : "(none)");
}

static int __init lab_time_init(void)
{
	lab_answer_signal();
	return 0;
}
late_initcall(lab_time_init);
