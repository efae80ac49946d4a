// SPDX-License-Identifier: BSD-2-Clause
// What a store of a guest's kernel to one of its page tables means. The store is decoded elsewhere
// (core/pv/instruction.hpp); here it is applied as the same update by hypercall would be.
#pragma once

#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

struct PageTableWrite {
    enum class Operation : uint8_t {
        store,               // mov:      entry = operand
        exchange,            // xchg:     the same; old_value goes to the register
        compare_exchange,    // cmpxchg:  if entry == expected: entry = operand
        bit_and,             // and:      entry &= operand
        bit_or,              // or
        bit_xor,             // xor
        bit_set,             // bts:      bit `operand`; the matcher has added its whole words to `address`
        bit_reset,           // btr
    };
    GuestVirtual address;    // of the operand in memory
    uint8_t size;            // 1, 2, 4 or 8 bytes; may not cross an entry's end
    Operation operation;
    uint64_t operand;        // zero-extended; sign-extended immediates cut to the size
    uint64_t expected;       // compare_exchange only
};

struct PageTableWriteResult {
    uint64_t old_value;      // of `size` bytes, zero-extended, before the operation
    uint64_t new_value;      // as the guest asked, before the core's own bits: for the flags of and, or, xor
    bool success;            // compare_exchange: was equal (ZF). bit_*: the old bit (CF). Else true
};

enum class PageTableWriteOutcome : uint8_t {
    done,        // result is valid; go on behind the instruction
    refused,     // no page table of the guest's there, or a value that it may not write: its #PF
    retry,       // long work goes on: return to the guest with the registers as they are
};

// Whether a store to this address would be a store to a page table of the running partition. Cheap;
// to be asked before the instruction is fetched and matched. No lock held; the answer may be old.
[[nodiscard]] bool is_page_table_address(const Vcpu& vcpu, GuestVirtual address);

// Applies it, atomically against other vCPUs and the CPUs' accessed and dirty bits. Takes the
// partition's `pages` lock. The vCPU is current, in kernel mode.
[[nodiscard]] PageTableWriteOutcome emulate_page_table_write(Vcpu& vcpu, const PageTableWrite& write,
                                                             PageTableWriteResult& result);

}  // namespace bulkhead
