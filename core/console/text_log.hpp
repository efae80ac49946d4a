// SPDX-License-Identifier: BSD-2-Clause
// The log of one source: the last bytes that it wrote, in a ring of fixed size, each line with the
// time of its first byte. Bytes are kept as they came, control sequences included; what shows them
// makes them harmless (core/console/sanitizer.hpp). Not locked: the source's lock protects it.
//
// In the ring a line is seven bytes of time (seven bits each, the top bit set, most significant
// first, microseconds), the text, and a newline; an empty line is a newline alone. So a newline is
// always the end of a line, wherever one starts to read.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead {

class TextLog {
public:
    static constexpr size_t stamp_bytes = 7;
    static constexpr size_t blocks = 64;
    static constexpr size_t any_lines = ~size_t{0};

    constexpr TextLog() = default;
    constexpr explicit TextLog(std::span<char> memory) : memory_(memory) {}
    // A power of two of bytes, at least 1024. Before the first append(); without it all is dropped.
    void use(std::span<char> memory) { memory_ = memory; }

    // Takes any bytes, up to and including the `max_lines`-th newline; returns how many it took.
    // Costs about two instructions a byte and fifty a line.
    size_t append(std::string_view text, Nanoseconds now, size_t max_lines = any_lines);

    [[nodiscard]] size_t size() const { return memory_.size(); }
    // Positions count bytes since the start; [begin, end) can be read.
    [[nodiscard]] uint64_t end() const { return end_; }
    [[nodiscard]] uint64_t begin() const { return end_ > size() ? end_ - size() : 0; }
    [[nodiscard]] uint64_t lines() const { return lines_; }      // newlines since the start
    [[nodiscard]] bool in_line() const { return in_line_; }      // the last line has no end yet
    [[nodiscard]] Nanoseconds last_append() const { return last_append_; }
    [[nodiscard]] char at(uint64_t position) const { return memory_[position & (size() - 1)]; }
    // Bytes that lie in one piece from a position on, at most `bytes`, not beyond end().
    [[nodiscard]] std::string_view run(uint64_t position, size_t bytes) const;
    // Newlines before a position that can still be read; looks at no more than size() / 64 bytes.
    [[nodiscard]] uint64_t lines_before(uint64_t position) const;

private:
    [[nodiscard]] size_t block_bytes() const { return size() / blocks; }
    void write(const char* bytes, size_t count);
    void append_line(const char* text, size_t length, bool ended, uint64_t stamp);

    std::span<char> memory_;
    uint64_t end_ = 0;
    uint64_t lines_ = 0;
    Nanoseconds last_append_;
    bool in_line_ = false;
    std::array<uint64_t, blocks> block_lines_{};   // lines_ when the block was begun
};

// A reader's place in a log.
struct LogCursor {
    uint64_t position = 0;
    uint64_t lines = 0;       // newlines before the position
    bool in_line = false;     // stands behind the stamp of its line
};

// A part of one line, without stamp and newline.
struct LogPiece {
    std::string_view text;    // in the caller's buffer
    bool line_start;
    bool line_end;            // the newline follows, and the cursor stands behind it
    bool stamped;             // `time` is that of the line's first byte
    Nanoseconds time;
    uint64_t lost_lines;      // overwritten since the cursor was here before
};

// Takes the next part of a line before `end`, at most buffer.size() bytes; false: there is none.
// Parts without line_end are returned too: whoever waits for whole lines asks has_whole_line().
[[nodiscard]] bool next_piece(const TextLog& log, LogCursor& cursor, uint64_t end, std::span<char> buffer,
                              LogPiece& piece);
// The same as a stream of raw bytes, newlines included and stamps left out. Returns the count.
// No more than one line, if that is wanted.
[[nodiscard]] size_t next_raw(const TextLog& log, LogCursor& cursor, std::span<char> buffer, bool one_line = false);
// Whether a newline or at least `bytes` of text lie between the cursor and the end.
[[nodiscard]] bool has_whole_line(const TextLog& log, const LogCursor& cursor, size_t bytes);
// Moves a cursor forward to the start of a line so that at most `keep_bytes` and `keep_lines` are
// left, an unfinished line included; into a line if that one alone is longer. Returns the newlines
// passed over.
uint64_t skip_to_tail(const TextLog& log, LogCursor& cursor, size_t keep_bytes, uint64_t keep_lines);
// A cursor at the oldest line that is there from its beginning.
[[nodiscard]] LogCursor oldest_line(const TextLog& log);

}  // namespace bulkhead
