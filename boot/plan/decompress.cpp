// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/decompress.hpp"

#include <algorithm>
#include <array>
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

namespace bulkhead::tool {

namespace {

constexpr size_t chunk_bytes = size_t{64} << 10;
constexpr uint32_t lz4_legacy_magic = 0x184c2102;
constexpr uint64_t lz4_legacy_block_bytes = 8 * 1024 * 1024;
constexpr uint64_t lz4_best_ratio = 255;
constexpr uint64_t lzma_memory_bytes = uint64_t{1} << 30;

struct Magic {
    Compression compression;
    std::string_view bytes;
    std::string_view name;
};
// Source: linux/lib/decompress.c, compressed_formats.
constexpr std::array<Magic, 7> magics{{
    {Compression::gzip, {"\x1f\x8b", 2}, "gzip"},
    {Compression::bzip2, {"BZh", 3}, "bzip2"},
    {Compression::lzma, {"\x5d\x00\x00", 3}, "lzma"},
    {Compression::xz, {"\xfd""7zXZ\x00", 6}, "xz"},
    {Compression::lz4, {"\x02\x21\x4c\x18", 4}, "lz4"},
    {Compression::zstd, {"\x28\xb5\x2f\xfd", 4}, "zstd"},
    {Compression::lzo, {"\x89LZO", 4}, "lzo"},
}};

// Where unpacked bytes go: grows by chunks up to a limit.
class Output {
public:
    explicit Output(uint64_t limit) : limit_(limit) {}

    // Room for more bytes, at least one; nothing when the limit is reached.
    std::span<uint8_t> room()
    {
        if (used_ == bytes_.size()) {
            const uint64_t grown = std::max<uint64_t>(chunk_bytes, bytes_.size() * 2);
            bytes_.resize(std::min<uint64_t>(grown, limit_));
        }
        return std::span(bytes_).subspan(used_);
    }
    void fill(size_t count) { used_ += count; }
    [[nodiscard]] Outcome<Bytes> full() const
    {
        return refuse("unpacks to more than ", Size{limit_}, ", which no kernel does");
    }
    [[nodiscard]] uint64_t size() const { return used_; }
    Bytes take()
    {
        bytes_.resize(used_);
        return std::move(bytes_);
    }

private:
    Bytes bytes_;
    uint64_t used_ = 0;
    uint64_t limit_;
};

Outcome<Bytes> damaged(Compression compression, bool at_end)
{
    return refuse(at_end ? "is truncated: its " : "is damaged: its ", name_of(compression),
                  at_end ? " data ends early" : " data does not unpack");
}

// The three libraries with a stream of zlib's shape share this loop. `step` unpacks what it can,
// and returns +1 at the end of the stream, 0 to go on, -1 for damage.
template <class Stream, class Step>
Outcome<Bytes> run_stream(Stream& stream, Compression compression, Output& output, const Step& step)
{
    for (;;) {
        const auto room = output.room();
        if (room.empty())
            return output.full();
        const auto offered = std::min<size_t>(room.size(), size_t{1} << 30);
        stream.next_out = reinterpret_cast<decltype(stream.next_out)>(room.data());
        stream.avail_out = static_cast<decltype(stream.avail_out)>(offered);
        const auto input_before = stream.avail_in;
        const int result = step(stream);
        const size_t produced = offered - stream.avail_out;
        output.fill(produced);
        if (result > 0)
            return output.take();
        if (result < 0)
            return damaged(compression, false);
        if (produced == 0 && stream.avail_in == input_before)
            return damaged(compression, true);
    }
}

Outcome<Bytes> unpack_gzip(View data, Output& output)
{
    z_stream stream{};
    stream.next_in = const_cast<Bytef*>(data.data());
    stream.avail_in = static_cast<uInt>(data.size());
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return refuse("cannot be unpacked: zlib does not start");
    auto result = run_stream(stream, Compression::gzip, output, [](z_stream& s) {
        const int code = inflate(&s, Z_NO_FLUSH);
        return code == Z_STREAM_END ? 1 : (code == Z_OK || code == Z_BUF_ERROR ? 0 : -1);
    });
    inflateEnd(&stream);
    return result;
}

Outcome<Bytes> unpack_bzip2(View data, Output& output)
{
    Bytes copy(data.begin(), data.end());  // the library's input is not const
    bz_stream stream{};
    stream.next_in = reinterpret_cast<char*>(copy.data());
    stream.avail_in = static_cast<unsigned>(copy.size());
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
        return refuse("cannot be unpacked: bzip2 does not start");
    auto result = run_stream(stream, Compression::bzip2, output, [](bz_stream& s) {
        const int code = BZ2_bzDecompress(&s);
        return code == BZ_STREAM_END ? 1 : (code == BZ_OK ? 0 : -1);
    });
    BZ2_bzDecompressEnd(&stream);
    return result;
}

Outcome<Bytes> unpack_lzma(View data, Compression compression, Output& output)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    const auto started = compression == Compression::xz ? lzma_stream_decoder(&stream, lzma_memory_bytes, 0)
                                                        : lzma_alone_decoder(&stream, lzma_memory_bytes);
    if (started != LZMA_OK)
        return refuse("cannot be unpacked: liblzma does not start");
    stream.next_in = data.data();
    stream.avail_in = data.size();
    auto result = run_stream(stream, compression, output, [](lzma_stream& s) {
        const auto code = lzma_code(&s, LZMA_RUN);
        return code == LZMA_STREAM_END ? 1 : (code == LZMA_OK || code == LZMA_BUF_ERROR ? 0 : -1);
    });
    lzma_end(&stream);
    return result;
}

Outcome<Bytes> unpack_zstd(View data, Output& output)
{
    ZSTD_DStream* stream = ZSTD_createDStream();
    if (stream == nullptr)
        return refuse("cannot be unpacked: zstd does not start");
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    Outcome<Bytes> result = damaged(Compression::zstd, true);
    for (;;) {
        const auto room = output.room();
        if (room.empty()) {
            result = output.full();
            break;
        }
        ZSTD_outBuffer out{room.data(), room.size(), 0};
        const size_t before = in.pos;
        const size_t code = ZSTD_decompressStream(stream, &out, &in);
        output.fill(out.pos);
        if (ZSTD_isError(code) != 0) {
            result = damaged(Compression::zstd, false);
            break;
        }
        if (code == 0) {
            result = output.take();
            break;
        }
        if (out.pos == 0 && in.pos == before)
            break;
    }
    ZSTD_freeDStream(stream);
    return result;
}

// The format that Linux uses: a magic number, then blocks of at most 8 MiB, each behind its size.
// Source: lz4_Frame_format.md, "Legacy frame".
Outcome<Bytes> unpack_lz4(View data, Output& output, uint64_t limit)
{
    Bytes all;
    uint64_t offset = sizeof(uint32_t);
    while (offset < data.size()) {
        const auto size = read_at<uint32_t>(data, offset);
        if (!size)
            return damaged(Compression::lz4, true);
        // Linux appends the unpacked length, which looks like one more block's size.
        if (data.size() - offset == sizeof(uint32_t) && *size == (all.size() & 0xffffffff) && !all.empty())
            break;
        offset += sizeof(uint32_t);
        if (*size == lz4_legacy_magic)
            continue;
        if (*size > static_cast<uint32_t>(LZ4_compressBound(static_cast<int>(lz4_legacy_block_bytes))))
            return damaged(Compression::lz4, false);
        const auto block = slice(data, offset, *size);
        if (!block)
            return damaged(Compression::lz4, true);
        const size_t before = all.size();
        const uint64_t most = std::min(lz4_legacy_block_bytes, (block->size() + 1) * lz4_best_ratio);
        all.resize(before + most);
        const int count = LZ4_decompress_safe(reinterpret_cast<const char*>(block->data()),
                                              reinterpret_cast<char*>(all.data() + before),
                                              static_cast<int>(block->size()), static_cast<int>(most));
        if (count < 0)
            return damaged(Compression::lz4, false);
        all.resize(before + static_cast<size_t>(count));
        if (all.size() > limit)
            return output.full();
        offset += *size;
    }
    if (all.empty())
        return damaged(Compression::lz4, true);
    return all;
}

}  // namespace

std::optional<Compression> compression_of(View data)
{
    for (const auto& magic : magics)
        if (data.size() >= magic.bytes.size() &&
            std::memcmp(data.data(), magic.bytes.data(), magic.bytes.size()) == 0)
            return magic.compression;
    return std::nullopt;
}

std::string_view name_of(Compression compression)
{
    for (const auto& magic : magics)
        if (magic.compression == compression)
            return magic.name;
    return "unknown";
}

Outcome<Bytes> decompress(View data, Compression compression, uint64_t limit)
{
    static constexpr uint64_t most_input = uint64_t{1} << 31;
    if (data.size() >= most_input)
        return refuse("has ", Size{data.size()}, " of compressed data, which no kernel has");
    Output output(limit);
    switch (compression) {
    case Compression::gzip: return unpack_gzip(data, output);
    case Compression::bzip2: return unpack_bzip2(data, output);
    case Compression::lzma:
    case Compression::xz: return unpack_lzma(data, compression, output);
    case Compression::lz4: return unpack_lz4(data, output, limit);
    case Compression::zstd: return unpack_zstd(data, output);
    case Compression::lzo: break;
    }
    return refuse("is compressed with lzo, which this tool does not unpack; gzip, bzip2, lzma, xz, lz4 and zstd work");
}

}  // namespace bulkhead::tool
