// SPDX-License-Identifier: BSD-2-Clause
// A slot: one page with this header, then the content: the core as it goes to its address, then, at a
// page, the compiled plan. The host tool writes it, the selector believes nothing of it before the
// signature is checked, and nothing of the content before its hash is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::loader {

inline constexpr uint64_t slot_magic = 0x31544f4c53484242;      // "BBHSLOT1"
inline constexpr uint32_t slot_format = 1;
inline constexpr uint64_t slot_page_bytes = 4096;
// The core belongs below the first address that a plan can have, and is small.
inline constexpr uint64_t most_core_bytes = 2 << 20;
inline constexpr uint64_t most_content_bytes = uint64_t{3} << 30;

using Sha256 = std::array<uint8_t, 32>;
using PublicKey = std::array<uint8_t, 32>;      // Ed25519
using Signature = std::array<uint8_t, 64>;

struct SlotHeader {
    uint64_t magic;
    uint32_t format;
    uint32_t header_bytes;
    uint64_t version;               // the larger one is the newer one; never 0
    uint64_t minimum_version;       // once this slot has proved itself, nothing older starts
    uint64_t content_bytes;         // behind the first page
    uint64_t core_bytes;            // at the content's beginning
    uint64_t core_memory_bytes;     // the rest is zeroed
    uint64_t core_physical;         // where it goes
    uint64_t entry;                 // physical, 32-bit
    uint64_t plan_offset;           // in the content, page-aligned
    uint64_t plan_bytes;
    uint32_t health_seconds;        // within which it reports itself healthy; 0: it need not
    uint32_t tries;                 // how often it is started before it has
    Sha256 content_sha256;
    std::array<char, 128> description;
    std::array<uint8_t, 192> reserved;
    Signature signature;            // of everything before it
};
inline constexpr size_t signed_bytes = offsetof(SlotHeader, signature);
static_assert(sizeof(SlotHeader) == 512);
static_assert(signed_bytes == 448);

// check_slot()'s answer for a slot that nothing was ever written to: no problem worth a message.
inline constexpr char slot_is_empty[] = "it is empty";

// Null, or why this is no slot that can be started, as a sentence. `room_bytes`: of the slot, first page
// included. The signature is not looked at here.
[[nodiscard]] const char* check_slot(const SlotHeader& header, uint64_t room_bytes);

// Whether the owner of the key has signed it.
[[nodiscard]] bool slot_is_signed(const SlotHeader& header, const PublicKey& key);

// The hash of a content that arrives in pieces.
class ContentHash {
public:
    ContentHash();
    void add(const void* piece, uint64_t bytes);
    [[nodiscard]] Sha256 finish();

private:
    alignas(8) std::array<uint8_t, 104> state_;     // crypto_hash_sha256_state of libsodium
};

}  // namespace bulkhead::loader
