// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/slot_key.hpp"

namespace bulkhead::loader {

[[gnu::section(".slot_key"), gnu::used]] constinit const CompiledKey compiled_key{
    {'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D', '-', 'K', 'E', 'Y', '-', 'I', 'S', ':'}, {}};

PublicKey slot_key()
{
    PublicKey key;
    const volatile uint8_t* from = compiled_key.key.data();
    for (size_t i = 0; i < key.size(); ++i)
        key[i] = from[i];
    return key;
}

}  // namespace bulkhead::loader
