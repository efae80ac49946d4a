// SPDX-License-Identifier: BSD-2-Clause
// A line of text that is typed on a terminal: editing keys, and the lines of before. A line is so
// short that prompt and line fit in 80 columns, so nothing ever wraps.
#pragma once

#include "core/console/text_out.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bulkhead {

class LineEditor {
public:
    static constexpr std::string_view prompt = "bulkhead> ";
    static constexpr size_t line_bytes = 69;
    static constexpr size_t history_lines = 32;

    enum class Event : uint8_t {
        none,
        line,        // Enter: line() is complete; call start() for the next one
        interrupt,   // Ctrl-C: the line was thrown away
        complete,    // Tab
    };

    constexpr LineEditor() = default;

    // Takes a key and shows what it changes: at most 120 bytes.
    Event key(uint8_t byte, TextOut& out);
    // A new, empty line with its prompt.
    void start(TextOut& out);
    // Prompt, line and cursor once more, where the cursor is now.
    void redraw(TextOut& out);
    // Puts text in at the cursor, as much as fits.
    void insert(std::string_view text, TextOut& out);

    [[nodiscard]] std::string_view line() const { return {text_.data(), length_}; }
    [[nodiscard]] std::string_view before_cursor() const { return {text_.data(), cursor_}; }

private:
    using Line = std::array<char, line_bytes>;
    enum class Escape : uint8_t { none, begun, bracket, letter };

    Event control(uint8_t byte, TextOut& out);
    void escape_key(uint8_t byte, TextOut& out);
    void move_to(size_t cursor, TextOut& out);
    void erase(size_t from, size_t to, TextOut& out);
    void remember();
    void recall(size_t back, TextOut& out);
    [[nodiscard]] size_t word_start() const;

    Line text_{};
    size_t length_ = 0;
    size_t cursor_ = 0;
    Escape escape_ = Escape::none;
    uint8_t number_ = 0;              // of an escape sequence
    bool return_seen_ = false;        // CR LF is one Enter
    size_t recalled_ = 0;             // lines back from the newest; 0: the one being typed
    size_t history_count_ = 0;
    size_t history_next_ = 0;
    std::array<Line, history_lines> history_{};
    std::array<uint8_t, history_lines> history_length_{};
    Line draft_{};                    // what was being typed when the first one was recalled
    size_t draft_length_ = 0;
};

}  // namespace bulkhead
