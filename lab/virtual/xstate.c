/*
 * For user-mode Linux on processors whose register state is larger than it has room for (AMX): the
 * kernel below takes that state only as a whole, and user-mode Linux then ends with "ptrace set fp
 * regs failed". Here what it has is put into the whole; the rest stays as it is in the process.
 *
 * Used by LD_PRELOAD: for kernels older than 6.13, and by tests/kernels/run.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define XSTATE 0x202 /* NT_X86_XSTATE of linux/elf.h */

typedef long (*ptrace_fn)(enum __ptrace_request, ...);

static long whole(ptrace_fn real, enum __ptrace_request request, void *pid, struct iovec *asked)
{
    static char state[1 << 16];
    struct iovec all = { state, sizeof state };
    long status = real(PTRACE_GETREGSET, pid, (void *)XSTATE, &all);

    if (status)
        return status;
    if (asked->iov_len > all.iov_len)
        asked->iov_len = all.iov_len;
    if (request == PTRACE_GETREGSET) {
        memcpy(asked->iov_base, state, asked->iov_len);
        return 0;
    }
    memcpy(state, asked->iov_base, asked->iov_len);
    return real(PTRACE_SETREGSET, pid, (void *)XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    static ptrace_fn real;
    va_list words;
    void *pid, *address, *data;

    va_start(words, request);
    pid = va_arg(words, void *);
    address = va_arg(words, void *);
    data = va_arg(words, void *);
    va_end(words);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ptrace");
    if ((request == PTRACE_GETREGSET || request == PTRACE_SETREGSET) && (long)address == XSTATE)
        return whole(real, request, pid, data);
    return real(request, pid, address, data);
}
