// SPDX-License-Identifier: BSD-2-Clause
// What a service may ask about the box: BULKHEADOP_box_info and the other questions of
// pvdrivers/abi/bulkhead.h. They only read, a bounded amount each.
#pragma once

#include "core/plan.hpp"
#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct Partition;

// Start-up: the plan's text that an answer has in it.
void init_questions(const plan::Header& header);

// Nobody but the switch may ask. Returns what the hypercall does; -XEN_ENOSYS: it is no question.
[[nodiscard]] long answer_question(const Partition& self, uint32_t operation, GuestVirtual argument);

}  // namespace bulkhead
