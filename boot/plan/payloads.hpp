// SPDX-License-Identifier: BSD-2-Clause
// What partitions' memory is filled from: each content once, stored raw or as LZ4 blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/hash.hpp"
#include "core/plan.hpp"

namespace bulkhead::tool {

struct StoredPayload {
    Bytes content;  // unpacked; empty after store()
    Sha256 hash;
    uint64_t size_bytes;
    std::vector<std::string> users;  // "gateway: kernel at frame 0x1000", for the map
    Bytes stored;
    plan::Encoding encoding;
};

class PayloadStore {
public:
    // The index of the payload with this content, which is not empty.
    uint32_t add(View content, const std::string& user);

    // Makes the stored form of everything that was added; packed with LZ4 where that is worth it, on all
    // CPUs, or as it is. The result does not depend on how many CPUs there are.
    enum class Form { packed, plain };
    void store(Form form);

    [[nodiscard]] const std::vector<StoredPayload>& payloads() const { return payloads_; }

private:
    std::vector<StoredPayload> payloads_;
};

// One content as core/plan.hpp's Encoding::lz4 has it.
[[nodiscard]] Bytes pack_lz4(View content, unsigned threads);

// The opposite, for tests and for checking an image; empty if `stored` is damaged.
[[nodiscard]] Bytes unpack_lz4_blocks(View stored, uint64_t size_bytes);

}  // namespace bulkhead::tool
