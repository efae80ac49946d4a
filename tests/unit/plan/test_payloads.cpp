// SPDX-License-Identifier: BSD-2-Clause
#include "core/plan.hpp"
#include "boot/plan/payloads.hpp"

#include "boot/plan/hash.cpp"
#include "boot/plan/payloads.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using bulkhead::plan::Encoding;

namespace {

Bytes noise(size_t size)
{
    Bytes out(size);
    uint32_t state = 7;
    for (auto& byte : out) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<uint8_t>(state >> 24);
    }
    return out;
}

constexpr size_t block = bulkhead::plan::payload_block_bytes;

// Words of four bytes from a list, and a byte between two of them: a match each, and hardly smaller.
Bytes words(size_t size, size_t list)
{
    const Bytes random = noise(size);
    Bytes out(size);
    for (size_t i = 0; i < size; ++i)
        out[i] = i % 5 == 4 ? random[i] : random[(random[i - i % 5] % list) * 4 + i % 5];
    return out;
}

// Stretches that pack well between stretches that do not pack at all.
Bytes mixed(size_t size)
{
    Bytes out = noise(size);
    for (size_t i = 0; i < size; ++i)
        if ((i / 20'000) % 2 == 0)
            out[i] = 3;
    return out;
}

}  // namespace

TEST_GROUP(Payloads) {};

TEST(Payloads, what_is_packed_unpacks_to_the_same_at_every_length_around_a_block)
{
    for (const size_t size : {size_t{1}, size_t{100}, block - 1, block, block + 1, 2 * block, size_t{100'001}}) {
        const Bytes content = mixed(size);
        const Bytes stored = pack_lz4(content, 2);
        CHECK(unpack_lz4_blocks(stored, size) == content);
    }
}

TEST(Payloads, the_number_of_threads_does_not_change_the_result)
{
    const Bytes content = mixed(300'000);
    CHECK(pack_lz4(content, 1) == pack_lz4(content, 5));
}

TEST(Payloads, a_block_that_does_not_shrink_is_stored_plain)
{
    const Bytes content = noise(block);
    const Bytes stored = pack_lz4(content, 1);
    LONGS_EQUAL(block + 4, stored.size());
    CHECK(read_at<uint32_t>(stored, 0) == block);
}

TEST(Payloads, a_block_that_shrinks_and_takes_long_to_unpack_is_stored_plain)
{
    const Bytes content = words(block, 200);
    const Bytes stored = pack_lz4(content, 1);
    LONGS_EQUAL(block + 4, stored.size());
    CHECK(unpack_lz4_blocks(stored, block) == content);
    Bytes half = content;                            // half of it does not
    std::fill(half.begin() + block / 2, half.end(), uint8_t{0});
    CHECK(pack_lz4(half, 1).size() < block);
}

TEST(Payloads, unpacking_costs_by_sequences_and_by_short_repetitions)
{
    // Source: LZ4 Block Format Description. 16 literals, a match of 19 bytes at 16; then literals only.
    Bytes packed{0xFF, 1};
    packed.resize(packed.size() + 16, 'a');
    append(packed, Bytes{16, 0, 0, 0x10, 'b'});
    LONGS_EQUAL(2 * cost_of_sequence, instructions_to_unpack(packed));
    packed[18] = 7;
    LONGS_EQUAL(2 * cost_of_sequence + cost_of_repetition, instructions_to_unpack(packed));
    packed.resize(3);
    LONGS_EQUAL(cost_of_sequence, instructions_to_unpack(packed));
}

TEST(Payloads, damaged_blocks_do_not_unpack)
{
    const Bytes content = mixed(50'000);
    const Bytes stored = pack_lz4(content, 1);
    for (size_t length = 0; length < stored.size(); length += 97)
        CHECK(unpack_lz4_blocks(View(stored).first(length), content.size()).empty());
    Bytes longer = stored;
    longer.push_back(0);
    CHECK(unpack_lz4_blocks(longer, content.size()).empty());
    Bytes wild = stored;
    wild[3] = 0xff;
    CHECK(unpack_lz4_blocks(wild, content.size()).empty());
}

TEST(Payloads, the_same_content_is_stored_once_with_all_its_users)
{
    PayloadStore store;
    const Bytes content = mixed(1000);
    LONGS_EQUAL(0, store.add(content, "a"));
    LONGS_EQUAL(1, store.add(mixed(1001), "b"));
    LONGS_EQUAL(0, store.add(content, "c"));
    LONGS_EQUAL(2, store.payloads().size());
    LONGS_EQUAL(2, store.payloads()[0].users.size());
}

TEST(Payloads, packing_is_used_only_where_it_saves_an_eighth)
{
    PayloadStore store;
    store.add(Bytes(100'000, 1), "zeros");
    store.add(noise(100'000), "noise");
    store.store(PayloadStore::Form::packed);
    CHECK(store.payloads()[0].encoding == Encoding::lz4);
    CHECK(store.payloads()[0].stored.size() < 1000);
    CHECK(store.payloads()[1].encoding == Encoding::raw);
    LONGS_EQUAL(100'000, store.payloads()[1].stored.size());
}

TEST(Payloads, plain_ones_are_never_packed)
{
    PayloadStore store;
    const Bytes zeros(100'000, 0);
    store.add(zeros, "zeros");
    store.store(PayloadStore::Form::plain);
    CHECK(store.payloads()[0].encoding == Encoding::raw);
    CHECK(store.payloads()[0].stored == zeros);
}

// FIPS 180-4, the example of one block; zlib's own check value.
TEST(Payloads, hashes_are_sha256_and_crc32)
{
    const Bytes abc{'a', 'b', 'c'};
    STRCMP_EQUAL("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex_text(sha256(abc)).c_str());
    const Bytes digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK(crc32_of(digits) == 0xcbf43926);
}
