// SPDX-License-Identifier: BSD-2-Clause
// Signature and hash by libsodium's portable code (Ed25519, SHA-256).
#include "boot/loader/slot.hpp"

#include <cstring>

extern "C" {
#include <crypto_hash_sha256.h>
#include <crypto_sign_ed25519.h>
}

namespace bulkhead::loader {

bool slot_is_signed(const SlotHeader& header, const PublicKey& key)
{
    std::array<uint8_t, signed_bytes> content;
    memcpy(content.data(), &header, content.size());
    return crypto_sign_ed25519_verify_detached(header.signature.data(), content.data(), content.size(), key.data()) == 0;
}

static_assert(sizeof(crypto_hash_sha256_state) == 104);

ContentHash::ContentHash() : state_{}
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    memcpy(state_.data(), &state, sizeof(state));
}

void ContentHash::add(const void* piece, uint64_t bytes)
{
    crypto_hash_sha256_state state;
    memcpy(&state, state_.data(), sizeof(state));
    crypto_hash_sha256_update(&state, static_cast<const unsigned char*>(piece), bytes);
    memcpy(state_.data(), &state, sizeof(state));
}

Sha256 ContentHash::finish()
{
    crypto_hash_sha256_state state;
    memcpy(&state, state_.data(), sizeof(state));
    Sha256 hash;
    crypto_hash_sha256_final(&state, hash.data());
    return hash;
}

}  // namespace bulkhead::loader
