/* A plugin for QEMU that counts the executed instructions of every translated block.
 *
 *     -plugin file=count.so,out=FILE
 *
 * It writes a line per block: its address in the guest (hexadecimal) and the instructions executed in it. The
 * guest's time does not notice it. Version 1 of QEMU's plugin interface, declared here, as Debian's package of
 * QEMU comes without its header.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SIZE (1 << 20)
#define ADD_U64 0

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translated_cb)(plugin_id, struct qemu_plugin_tb *);
typedef void (*exit_cb)(plugin_id, void *);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
void qemu_plugin_register_atexit_cb(plugin_id, exit_cb, void *);

int qemu_plugin_version = 1;

static struct { uint64_t at, count; } table[SIZE];
static char out[4096];

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t at = qemu_plugin_tb_vaddr(tb), h = (at * 0x9E3779B97F4A7C15ull) >> 44;

    (void)id;
    while (table[h].at && table[h].at != at)
        h = (h + 1) & (SIZE - 1);
    table[h].at = at;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &table[h].count, qemu_plugin_tb_n_insns(tb));
}

static void ended(plugin_id id, void *nothing)
{
    FILE *file = fopen(out, "w");

    (void)id, (void)nothing;
    if (!file)
        return;
    for (size_t i = 0; i < SIZE; i++)
        if (table[i].count)
            fprintf(file, "%" PRIx64 " %" PRIu64 "\n", table[i].at, table[i].count);
    fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4))
        return 1;
    snprintf(out, sizeof out, "%s", argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
