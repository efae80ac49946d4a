// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a virtio-net card that lies in its capabilities, registers and used rings. The driver stays
// within its memory, gives frames within the arena only, and has lost no buffer when the card is honest again.
//
// Input: features, bytes of the capabilities to be changed, then the operations of nic_fuzz.hpp.
#include "tests/fuzz/nic_fuzz.hpp"

#include "pvdrivers/nic/driver.cpp"
#include "pvdrivers/nic/frame.cpp"
#include "pvdrivers/nic/sending.cpp"
#include "pvdrivers/nic/virtio_net.cpp"
#include "pvdrivers/nic/virtio_start.cpp"
#include "pvdrivers/nic/virtqueue.cpp"
#include "tests/unit/nic/virtio_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    using namespace bulkhead::nic;
    FuzzInput input{data, size};
    ModelMemory memory{DmaArena::least_pages};
    VirtioModel model{memory};
    model.scribbled = true;
    model.features |= input.word();
    for (unsigned changes = input.byte() % 4; changes != 0; --changes) {
        const uint8_t at = input.byte();
        model.config[at] = input.byte();
    }
    fuzz_card<VirtioModel, VirtioNet>(model, memory, input);
    return 0;
}
