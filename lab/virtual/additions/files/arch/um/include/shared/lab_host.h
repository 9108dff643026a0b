/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __LAB_HOST_H
#define __LAB_HOST_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <sys/types.h>
#endif

/* Random numbers: of the machine, or from the seed in the environment variable UM_SEED. */
ssize_t lab_getrandom(void *buf, size_t len, unsigned int flags);

/* From now on the signal SIGUSR2 has the kernel say on its console what it is doing. */
void lab_answer_signal(void);

/* One line on what the kernel is doing; returns its length. */
int lab_status(char *line, int size);

#endif
