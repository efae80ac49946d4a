// SPDX-License-Identifier: BSD-2-Clause
// What the plugins use of QEMU's plugin API, version 1, whose header Debian does not ship. Included once a
// plugin: it says which version that one wants.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_cb_flags : int { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op : int { QEMU_PLUGIN_INLINE_ADD_U64 };
// QEMU 7.2 takes loads for stores where it chooses call-backs by this: ask for both, and look at each.
enum qemu_plugin_mem_rw : int { QEMU_PLUGIN_MEM_RW = 3 };
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* block);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb* block);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb* block, size_t index);
const void* qemu_plugin_insn_data(const qemu_plugin_insn* instruction);
size_t qemu_plugin_insn_size(const qemu_plugin_insn* instruction);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn* instruction);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn* instruction,
                                      void (*call)(unsigned, uint32_t info, uint64_t address, void*),
                                      qemu_plugin_cb_flags flags, qemu_plugin_mem_rw which, void* data);
bool qemu_plugin_mem_is_store(uint32_t info);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb* block, void (*call)(unsigned, void*),
                                          qemu_plugin_cb_flags flags, void* data);
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb* block, qemu_plugin_op operation, void* number,
                                              uint64_t operand);
void qemu_plugin_register_vcpu_idle_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, unsigned));

[[gnu::visibility("default")]] extern int qemu_plugin_version;
int qemu_plugin_version = 1;
[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argc,
                                                      char** argv);
}
