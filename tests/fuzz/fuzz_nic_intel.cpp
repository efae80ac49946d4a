// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: Intel's cards that lie in registers and descriptors. The driver stays within its memory, gives
// frames within the arena only, and has lost no buffer when the card is honest again.
//
// Input: a byte that says which card, then the operations of nic_fuzz.hpp.
#include "tests/fuzz/nic_fuzz.hpp"

#include "pvdrivers/nic/driver.cpp"
#include "pvdrivers/nic/frame.cpp"
#include "pvdrivers/nic/intel.cpp"
#include "pvdrivers/nic/intel_start.cpp"
#include "pvdrivers/nic/sending.cpp"
#include "tests/unit/nic/intel_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    using namespace bulkhead::nic;
    FuzzInput input{data, size};
    const bool express = (input.byte() & 1) != 0;
    ModelMemory memory{DmaArena::least_pages};
    IntelModel model{memory, express};
    model.scribbled = true;
    fuzz_card<IntelModel, IntelDriver>(model, memory, input, *intel::find_variant(model.id()));
    return 0;
}
