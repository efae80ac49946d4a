// SPDX-License-Identifier: BSD-2-Clause
// A bootable ELF as a slot: header page, core, plan, signed. And the key that signs and is compiled in.
#pragma once

#include "boot/loader/slot.hpp"
#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

#include <string>

namespace bulkhead::tool {

struct SigningKey {
    loader::PublicKey open;
    std::array<uint8_t, 64> secret;     // as libsodium keeps it
};
// An Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` writes it.
[[nodiscard]] Outcome<SigningKey> parse_key(View pem);

struct SlotSettings {
    uint64_t version;
    uint64_t minimum_version;
    uint32_t tries;
};
// `image`: what bulkhead-plan wrote.
[[nodiscard]] Outcome<Bytes> make_slot(View image, const SlotSettings& settings, const SigningKey& key);

// A loader with this key compiled in: replaces what stands behind the mark.
[[nodiscard]] Outcome<Bytes> with_key(View loader, const loader::PublicKey& key);

}  // namespace bulkhead::tool
