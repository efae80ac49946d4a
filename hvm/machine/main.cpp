// SPDX-License-Identifier: BSD-2-Clause
// The machine service of one hardware partition: decodes instructions that its vCPUs wait for. It sees
// their bytes and nothing else of the partition, and remembers nothing.
#include "hvm/machine/decode.hpp"
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/hypercall.hpp"

#include <bulkhead/memory.hpp>
#include <bulkhead/traps.hpp>

#include <bit>

namespace {

using namespace bulkhead;

const bulkhead_machine_page& map_page()
{
    bulkhead_machine_info info{};
    if (const long error = hypercall<__HYPERVISOR_arch_2>(BULKHEADOP_machine_page, as_argument(&info)); error != 0)
        crash("the hypervisor has no partition for this service: error %ld", error);
    const auto page = map_shared_frame(info.page_mfn, Access::read_only);
    if (!page)
        crash("the page of questions: %s", name_of(page.error()));
    return *reinterpret_cast<const bulkhead_machine_page*>(page->data());
}

// An answer that nobody waits for any more is no mistake: the vCPU began anew meanwhile.
void turn(uint32_t slot, uint64_t answer) { (void)hypercall<__HYPERVISOR_arch_2>(BULKHEADOP_machine_turn, slot, answer); }

}  // namespace

int main()
{
    const bulkhead_machine_page& page = map_page();
    uint32_t slot = 0;
    for (;;) {
        // Acquire pairs with the core, which writes the question before the bit.
        const uint32_t waiting = __atomic_load_n(&page.waiting, __ATOMIC_ACQUIRE);
        if (waiting == 0) {
            turn(BULKHEAD_NO_SLOT, 0);
            continue;
        }
        // The next one, so that nobody waits for ever.
        const auto from = (slot + 1) % BULKHEAD_MACHINE_SLOTS;
        slot = (from + static_cast<uint32_t>(std::countr_zero(std::rotr(waiting, static_cast<int>(from))))) %
               BULKHEAD_MACHINE_SLOTS;
        turn(slot, machine_service::decode(page.slots[slot]));
    }
}
