/* SPDX-License-Identifier: Apache-2.0 */
/* The part of QEMU's plugin interface, version 1 (QEMU 6.1 to 8.2), that qemu_count.c uses. Declared here
   because distributions ship QEMU without the header. */
#ifndef EV_QEMU_PLUGIN_H
#define EV_QEMU_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EV_PLUGIN_VERSION 1
#define EV_EXPORT __attribute__((visibility("default")))

enum { EV_NO_REGISTERS = 0 };   /* enum qemu_plugin_cb_flags */
enum { EV_INLINE_ADD_U64 = 0 }; /* enum qemu_plugin_op */
enum { EV_READS_AND_WRITES = 3 }; /* enum qemu_plugin_mem_rw */

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(
    struct qemu_plugin_insn *insn, void (*executed)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(
    struct qemu_plugin_insn *insn, int operation, void *counter, uint64_t amount);
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *insn,
    void (*accessed)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
    int flags, int which, void *data);
void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t id, void (*leaving)(qemu_plugin_id_t, void *), void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);

#endif
