/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_LAB_TIME_H
#define _LINUX_LAB_TIME_H

#include <linux/types.h>

/* The calling thread has taken a packet that Open vSwitch sent up; netlink says so. */
void lab_upcall_received(void);

/* A system call of the calling thread is over: its price, and a nap where it only polls. */
void lab_syscall_done(int nr, long ret);

/* Virtual time since boot (ns), read without moving it; in arch/um/kernel/time.c, which has the variable. */
unsigned long long lab_now(void);

struct uml_pt_regs;

/* A program has read the processor's counter of cycles: give it the clock. False: it did something else. */
bool lab_emulate_tsc(struct uml_pt_regs *regs);

#endif
