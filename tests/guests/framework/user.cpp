// SPDX-License-Identifier: BSD-2-Clause
// See user.hpp.
#include "framework/user.hpp"

#include "framework/memory.hpp"

uint64_t user_stack_end;
uint64_t kernel_entry_stack_end;
uint64_t user_table_mfn;

namespace {

alignas(16) char user_stack[16384];
alignas(16) char entry_stack[16384];

}  // namespace

void install_user_mode()
{
    auto* table = new_page_as<uint64_t>();
    const auto* kernel = reinterpret_cast<const uint64_t*>(start_info->pt_base);
    for (unsigned i = 0; i < 512; ++i) {
        // Slots 256 to 271 are the hypervisor's.
        if (i < 256 || i > 271)
            table[i] = kernel[i];
    }
    CHECK_EQUAL(0, make_readonly(table));
    user_table_mfn = mfn_of(table);
    CHECK_EQUAL(0, mmuext(MMUEXT_PIN_L4_TABLE, user_table_mfn));
    CHECK_EQUAL(0, mmuext(MMUEXT_NEW_USER_BASEPTR, user_table_mfn));
    user_stack_end = as_argument(user_stack + sizeof(user_stack));
    kernel_entry_stack_end = as_argument(entry_stack + sizeof(entry_stack));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_stack_switch>(FLAT_KERNEL_SS, kernel_entry_stack_end));
}
