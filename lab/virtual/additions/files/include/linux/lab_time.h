/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_LAB_TIME_H
#define _LINUX_LAB_TIME_H

/* The calling thread has taken a packet that Open vSwitch sent up; netlink says so. */
void lab_upcall_received(void);

/* A system call of the calling thread is over: its price, and a nap where it only polls. */
void lab_syscall_done(int nr, long ret);

/* Virtual time since boot (ns), read without moving it; in arch/um/kernel/time.c, which has the variable. */
unsigned long long lab_now(void);

#endif
