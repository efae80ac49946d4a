// SPDX-License-Identifier: BSD-2-Clause
// Looking at a partition's memory from outside, by its own page tables.
#pragma once

#include "core/guest_paging.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <cstdint>

namespace bulkhead {

struct Vcpu;

// Memory behind a guest's address, up to the end of its page; or why there is none (a few words).
struct GuestBytes {
    const uint8_t* bytes;      // null: `problem` says why
    size_t length;
    const char* problem;
    bool executable;           // as far as its tables say
};

// By the vCPU's kernel tables, of a hardware one by its own as `paging` says. Never faults, whatever they
// hold: each table and the page itself is read only if it is a frame of the vCPU's partition, which it
// then owns for ever. What comes back may change while one reads it. Any CPU, no lock needed.
[[nodiscard]] GuestBytes find_guest_bytes(const Vcpu& vcpu, const GuestPaging& paging, GuestVirtual address);
// Eight bytes that do not cross a page's end.
[[nodiscard]] bool read_guest_word(const Vcpu& vcpu, const GuestPaging& paging, GuestVirtual address, uint64_t& value);

}  // namespace bulkhead
