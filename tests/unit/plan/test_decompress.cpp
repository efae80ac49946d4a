// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/decompress.hpp"

#include "boot/plan/decompress.cpp"
#include "boot/plan/text.cpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using namespace bulkhead::test;

namespace {

constexpr uint64_t plenty = uint64_t{64} << 20;

// Compressible, but not to nothing.
Bytes sample(size_t size = 100'000)
{
    Bytes out(size);
    uint32_t state = 1;
    for (auto& byte : out) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<uint8_t>((state >> 24) & 0x0f);
    }
    return out;
}

struct Packed {
    Compression compression;
    Bytes data;
};

std::vector<Packed> all_of(const Bytes& data)
{
    return {{Compression::gzip, gzip(data)},       {Compression::bzip2, bzip2(data)},
            {Compression::lzma, lzma(data)},       {Compression::xz, xz(data)},
            {Compression::lz4, lz4_legacy(data)},  {Compression::zstd, zstd(data)}};
}

}  // namespace

TEST_GROUP(Decompress) {};

TEST(Decompress, each_compression_is_recognised_and_undone)
{
    const Bytes data = sample();
    for (const auto& packed : all_of(data)) {
        CHECK(compression_of(packed.data) == packed.compression);
        CHECK(decompress(packed.data, packed.compression, plenty).value() == data);
    }
}

TEST(Decompress, the_length_that_linux_appends_is_ignored)
{
    const Bytes data = sample();
    for (const auto& packed : all_of(data))
        CHECK(decompress(with_length(packed.data, data.size()), packed.compression, plenty).value() == data);
}

TEST(Decompress, what_is_larger_than_the_limit_is_refused)
{
    const Bytes data = sample();
    for (const auto& packed : all_of(data))
        STRCMP_EQUAL("unpacks to more than 50 KiB, which no kernel does",
                     decompress(packed.data, packed.compression, 50 * 1024).error().c_str());
}

TEST(Decompress, every_truncation_is_refused)
{
    const Bytes data = sample(3000);
    for (const auto& packed : all_of(data)) {
        // The end of a gzip or lzma stream may be a checksum or marker only; the content is what counts.
        for (size_t length = 0; length < packed.data.size(); ++length) {
            const auto part = decompress(View(packed.data).first(length), packed.compression, plenty);
            CHECK(!part || *part == data);
            if (length < packed.data.size() / 2)
                CHECK_FALSE(part);
        }
    }
}

TEST(Decompress, damage_is_refused_or_harmless_but_never_a_crash)
{
    const Bytes data = sample(3000);
    for (const auto& packed : all_of(data)) {
        for (size_t at = 0; at < packed.data.size(); at += 7) {
            Bytes damaged_data = packed.data;
            damaged_data[at] ^= 0x55;
            (void)decompress(damaged_data, packed.compression, plenty).has_value();
        }
    }
}

TEST(Decompress, lz4_comes_in_blocks_of_which_the_last_may_be_the_length)
{
    const Bytes data = sample(5000);
    Bytes two = lz4_legacy(data);
    const Bytes second = lz4_legacy(data);
    two.insert(two.end(), second.begin() + 4, second.end());
    LONGS_EQUAL(10'000, decompress(two, Compression::lz4, plenty)->size());
    LONGS_EQUAL(10'000, decompress(with_length(two, 10'000), Compression::lz4, plenty)->size());
    CHECK_FALSE(decompress(with_length(two, 9'999), Compression::lz4, plenty));
    Bytes wild{0x02, 0x21, 0x4c, 0x18, 0xff, 0xff, 0xff, 0xff, 1, 2, 3};
    CHECK_FALSE(decompress(wild, Compression::lz4, plenty));
    CHECK_FALSE(decompress(Bytes{0x02, 0x21, 0x4c, 0x18}, Compression::lz4, plenty));
}

TEST(Decompress, lzo_is_known_and_refused_with_what_works)
{
    const Bytes data = bytes_of("\x89LZO and more");
    CHECK(compression_of(data) == Compression::lzo);
    STRCMP_EQUAL("is compressed with lzo, which this tool does not unpack; gzip, bzip2, lzma, xz, lz4 and zstd work",
                 decompress(data, Compression::lzo, plenty).error().c_str());
}

TEST(Decompress, other_bytes_are_no_compression)
{
    CHECK_FALSE(compression_of(bytes_of("\x7f" "ELF")).has_value());
    CHECK_FALSE(compression_of({}).has_value());
    CHECK_FALSE(compression_of(Bytes{0x1f}).has_value());
}
