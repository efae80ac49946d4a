// SPDX-License-Identifier: BSD-2-Clause
// Writing to a log, and reading it by cursors that notice when they were overtaken.
#include "core/console/text_log.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead {

namespace {

// How far a reader that was overtaken looks for the start of a line.
constexpr uint64_t search_bytes = 1024;

// The seven bytes as they lie in memory, in the low bytes of a word.
uint64_t encode_stamp(Nanoseconds time)
{
    uint64_t microseconds = time.raw() / 1000;
    uint64_t stamp = 0;
    for (size_t i = 0; i < TextLog::stamp_bytes; ++i) {
        stamp = stamp << 8 | 0x80 | (microseconds & 0x7f);
        microseconds >>= 7;
    }
    return stamp;
}

Nanoseconds decode_stamp(const TextLog& log, uint64_t position)
{
    uint64_t microseconds = 0;
    for (size_t i = 0; i < TextLog::stamp_bytes; ++i)
        microseconds = microseconds << 7 | (static_cast<uint8_t>(log.at(position + i)) & 0x7f);
    return Nanoseconds(microseconds * 1000);
}

// Eight bytes at a time; short lines pay for a byte each.
size_t length_to_newline(const char* text, size_t size)
{
    constexpr uint64_t ones = 0x0101010101010101;
    size_t length = 0;
    while (length + 8 <= size) {
        uint64_t word;
        memcpy(&word, text + length, 8);
        word ^= ones * '\n';
        if (((word - ones) & ~word & ones << 7) != 0)
            break;
        length += 8;
    }
    while (length < size && text[length] != '\n')
        ++length;
    return length;
}

}  // namespace

size_t TextLog::append(std::string_view text, Nanoseconds now, size_t max_lines)
{
    if (memory_.empty() || text.empty())
        return text.size();
    last_append_ = now;
    const uint64_t stamp = encode_stamp(now);
    size_t taken = 0;
    for (size_t line = 0; taken < text.size() && line < max_lines; ++line) {
        const size_t length = length_to_newline(text.data() + taken, text.size() - taken);
        const bool ended = taken + length < text.size();
        append_line(text.data() + taken, length, ended, stamp);
        taken += length + ended;
    }
    return taken;
}

void TextLog::append_line(const char* text, size_t length, bool ended, uint64_t stamp)
{
    if (length != 0) {
        if (!in_line_)
            write(reinterpret_cast<const char*>(&stamp), stamp_bytes);
        write(text, length);
        in_line_ = true;
    }
    if (ended) {
        ++lines_;
        write("\n", 1);
        in_line_ = false;
    }
}

void TextLog::write(const char* bytes, size_t count)
{
    while (count != 0) {
        const size_t place = end_ & (size() - 1);
        const size_t left = block_bytes() - (place & (block_bytes() - 1));
        const size_t now = std::min(count, left);
        memcpy(&memory_[place], bytes, now);
        bytes += now;
        count -= now;
        end_ += now;
        if (now == left)
            block_lines_[end_ / block_bytes() % blocks] = lines_;
    }
}

std::string_view TextLog::run(uint64_t position, size_t bytes) const
{
    const size_t place = position & (size() - 1);
    const uint64_t available = std::min<uint64_t>(end_ - position, size() - place);
    return {&memory_[place], static_cast<size_t>(std::min<uint64_t>(available, bytes))};
}

// Counts forward to the next block's beginning, where the number is known: the beginning of the
// position's own block may be overwritten.
uint64_t TextLog::lines_before(uint64_t position) const
{
    const uint64_t next_block = (position / block_bytes() + 1) * block_bytes();
    const uint64_t known = next_block > end_ ? lines_ : block_lines_[next_block / block_bytes() % blocks];
    const uint64_t stop = std::min(next_block, end_);
    uint64_t between = 0;
    for (uint64_t p = position; p < stop; ++p)
        between += at(p) == '\n';
    return known - between;
}

namespace {

void move_to(const TextLog& log, LogCursor& cursor, uint64_t position, bool in_line)
{
    cursor.position = position;
    cursor.lines = log.lines_before(position);
    cursor.in_line = in_line;
}

// Into the middle of a line, past what is left of its stamp or of a character.
void move_into_line(const TextLog& log, LogCursor& cursor, uint64_t position)
{
    uint64_t place = position;
    while (place < log.end() && place < position + TextLog::stamp_bytes &&
           (static_cast<uint8_t>(log.at(place)) & 0x80) != 0)
        ++place;
    move_to(log, cursor, place, true);
}

}  // namespace

LogCursor oldest_line(const TextLog& log)
{
    LogCursor cursor;
    if (log.begin() == 0)
        return cursor;
    const uint64_t stop = std::min(log.end(), log.begin() + search_bytes);
    for (uint64_t place = log.begin(); place < stop; ++place) {
        if (log.at(place) == '\n') {
            move_to(log, cursor, place + 1, false);
            return cursor;
        }
    }
    move_into_line(log, cursor, log.begin());
    return cursor;
}

namespace {

// Where the writer has overtaken the reader; the count of newlines that it never saw.
uint64_t catch_up(const TextLog& log, LogCursor& cursor)
{
    if (cursor.position >= log.begin())
        return 0;
    const uint64_t seen = cursor.lines;
    cursor = oldest_line(log);
    return cursor.lines - seen;
}

}  // namespace

bool next_piece(const TextLog& log, LogCursor& cursor, uint64_t end, std::span<char> buffer, LogPiece& piece)
{
    piece = LogPiece{};
    piece.lost_lines = catch_up(log, cursor);
    end = std::min(end, log.end());
    if (cursor.position >= end)
        return false;
    piece.line_start = !cursor.in_line;
    if (piece.line_start && log.at(cursor.position) != '\n') {
        piece.stamped = true;
        piece.time = decode_stamp(log, cursor.position);
        cursor.position += TextLog::stamp_bytes;
        cursor.in_line = true;
    }
    size_t length = 0;
    while (length < buffer.size() && cursor.position < end) {
        const char byte = log.at(cursor.position);
        if (byte == '\n')
            break;
        buffer[length++] = byte;
        ++cursor.position;
    }
    piece.text = {buffer.data(), length};
    if (cursor.position < end && log.at(cursor.position) == '\n') {
        ++cursor.position;
        ++cursor.lines;
        cursor.in_line = false;
        piece.line_end = true;
    }
    return true;
}

size_t next_raw(const TextLog& log, LogCursor& cursor, std::span<char> buffer, bool one_line)
{
    (void)catch_up(log, cursor);
    size_t length = 0;
    while (length < buffer.size() && cursor.position < log.end()) {
        if (!cursor.in_line && log.at(cursor.position) != '\n') {
            cursor.position += TextLog::stamp_bytes;
            cursor.in_line = true;
        }
        const char byte = log.at(cursor.position++);
        buffer[length++] = byte;
        if (byte == '\n') {
            ++cursor.lines;
            cursor.in_line = false;
            if (one_line)
                break;
        }
    }
    return length;
}

bool has_whole_line(const TextLog& log, const LogCursor& cursor, size_t bytes)
{
    if (cursor.lines != log.lines())
        return true;
    return log.end() - cursor.position >= bytes + TextLog::stamp_bytes;
}

uint64_t skip_to_tail(const TextLog& log, LogCursor& cursor, size_t keep_bytes, uint64_t keep_lines)
{
    const uint64_t seen = cursor.lines;
    (void)catch_up(log, cursor);
    if (keep_lines == 0) {
        move_to(log, cursor, log.end(), log.in_line());
        return cursor.lines - seen;
    }
    const uint64_t keep = std::min<uint64_t>(keep_bytes, log.end() - cursor.position);
    const uint64_t stop = log.end() - keep;
    // Back from the end: each newline before the last byte begins a line behind it.
    uint64_t line = log.end();
    uint64_t found = 0;
    for (uint64_t place = log.end(); place > stop && found < keep_lines; --place) {
        if (log.at(place - 1) == '\n' && place != log.end()) {
            line = place;
            ++found;
        }
    }
    if (found < keep_lines && stop == cursor.position)
        return cursor.lines - seen;   // it stays where it is: all of it fits
    if (found != 0)
        move_to(log, cursor, line, false);
    else
        move_into_line(log, cursor, stop);
    return cursor.lines - seen;
}

}  // namespace bulkhead
