// SPDX-License-Identifier: BSD-2-Clause
// Keys of a VT100 and of a shell. Source: ECMA-48 and xterm's control sequences, "PC-Style Function
// Keys", for what cursor keys send.
#include "core/monitor/line_editor.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead {

namespace {

constexpr uint8_t control_key(char letter) { return static_cast<uint8_t>(letter & 0x1f); }

constexpr uint8_t key_escape = 0x1b;
constexpr uint8_t key_delete = 0x7f;

void move_cursor(size_t from, size_t to, TextOut& out)
{
    if (to < from)
        out.print("\x1b[%uD", static_cast<unsigned>(from - to));
    else if (to > from)
        out.print("\x1b[%uC", static_cast<unsigned>(to - from));
}

}  // namespace

void LineEditor::start(TextOut& out)
{
    length_ = cursor_ = 0;
    recalled_ = 0;
    escape_ = Escape::none;
    redraw(out);
}

void LineEditor::redraw(TextOut& out)
{
    out.put_raw("\r");
    out.put_raw(prompt);
    out.put_raw(line());
    out.put_raw("\x1b[K");
    move_cursor(length_, cursor_, out);
}

void LineEditor::move_to(size_t cursor, TextOut& out)
{
    move_cursor(cursor_, cursor, out);
    cursor_ = cursor;
}

void LineEditor::insert(std::string_view text, TextOut& out)
{
    const size_t count = std::min(text.size(), line_bytes - length_);
    if (count < text.size())
        out.put_raw("\a");
    memmove(&text_[0] + cursor_ + count, &text_[0] + cursor_, length_ - cursor_);
    memcpy(&text_[0] + cursor_, text.data(), count);
    length_ += count;
    out.put_raw(line().substr(cursor_));
    cursor_ += count;
    move_cursor(length_, cursor_, out);
}

void LineEditor::erase(size_t from, size_t to, TextOut& out)
{
    if (from == to)
        return;
    move_to(from, out);
    memmove(&text_[0] + from, &text_[0] + to, length_ - to);
    length_ -= to - from;
    out.put_raw(line().substr(from));
    out.put_raw("\x1b[K");
    move_cursor(length_, cursor_, out);
}

size_t LineEditor::word_start() const
{
    size_t start = cursor_;
    while (start > 0 && text_[start - 1] == ' ')
        --start;
    while (start > 0 && text_[start - 1] != ' ')
        --start;
    return start;
}

LineEditor::Event LineEditor::key(uint8_t byte, TextOut& out)
{
    const bool second_of_enter = byte == '\n' && return_seen_;
    return_seen_ = byte == '\r';
    if (second_of_enter)
        return Event::none;
    if (escape_ != Escape::none) {
        escape_key(byte, out);
        return Event::none;
    }
    if (byte < 0x20 || byte == key_delete)
        return control(byte, out);
    if (byte > key_delete) {
        out.put_raw("\a");
        return Event::none;
    }
    const char typed = static_cast<char>(byte);
    insert({&typed, 1}, out);
    return Event::none;
}

LineEditor::Event LineEditor::control(uint8_t byte, TextOut& out)
{
    switch (byte) {
    case '\r':
    case '\n':
        remember();
        out.put_raw("\r\n");
        return Event::line;
    case '\t':
        return Event::complete;
    case control_key('C'):
        out.put_raw("^C\r\n");
        length_ = cursor_ = 0;
        return Event::interrupt;
    case key_escape:
        escape_ = Escape::begun;
        break;
    case control_key('H'):
    case key_delete:
        if (cursor_ > 0)
            erase(cursor_ - 1, cursor_, out);
        break;
    case control_key('D'):
        erase(cursor_, std::min(cursor_ + 1, length_), out);
        break;
    case control_key('A'):
        move_to(0, out);
        break;
    case control_key('E'):
        move_to(length_, out);
        break;
    case control_key('B'):
        move_to(cursor_ - (cursor_ > 0), out);
        break;
    case control_key('F'):
        move_to(std::min(cursor_ + 1, length_), out);
        break;
    case control_key('U'):
        erase(0, cursor_, out);
        break;
    case control_key('K'):
        erase(cursor_, length_, out);
        break;
    case control_key('W'):
        erase(word_start(), cursor_, out);
        break;
    case control_key('L'):
        out.put_raw("\x1b[2J\x1b[H");
        redraw(out);
        break;
    case control_key('P'):
        recall(recalled_ + 1, out);
        break;
    case control_key('N'):
        if (recalled_ > 0)
            recall(recalled_ - 1, out);
        break;
    default:
        break;
    }
    return Event::none;
}

// Parameters after the first are modifiers, which change nothing here.
void LineEditor::escape_key(uint8_t byte, TextOut& out)
{
    if (escape_ == Escape::begun && (byte == '[' || byte == 'O')) {
        escape_ = byte == '[' ? Escape::bracket : Escape::letter;
        number_ = 0;
        return;
    }
    if (escape_ == Escape::bracket && byte >= 0x20 && byte < 0x40) {
        if (byte >= '0' && byte <= '9')
            number_ = static_cast<uint8_t>(number_ * 10 + (byte - '0'));
        else if (byte == ';')
            escape_ = Escape::letter;   // of what follows only the last byte matters
        return;
    }
    if (escape_ == Escape::letter && byte >= 0x20 && byte < 0x40)
        return;
    const bool sequence = escape_ != Escape::begun;
    escape_ = Escape::none;
    if (!sequence)
        return;
    switch (byte) {
    case 'A':
        recall(recalled_ + 1, out);
        break;
    case 'B':
        if (recalled_ > 0)
            recall(recalled_ - 1, out);
        break;
    case 'C':
        move_to(std::min(cursor_ + 1, length_), out);
        break;
    case 'D':
        move_to(cursor_ - (cursor_ > 0), out);
        break;
    case 'H':
        move_to(0, out);
        break;
    case 'F':
        move_to(length_, out);
        break;
    case '~':
        if (number_ == 1 || number_ == 7)
            move_to(0, out);
        else if (number_ == 4 || number_ == 8)
            move_to(length_, out);
        else if (number_ == 3)
            erase(cursor_, std::min(cursor_ + 1, length_), out);
        break;
    default:
        break;
    }
}

// Neither empty lines nor the same one twice in a row.
void LineEditor::remember()
{
    if (line().find_first_not_of(' ') == std::string_view::npos)
        return;
    const size_t newest = (history_next_ + history_lines - 1) % history_lines;
    if (history_count_ != 0 && line() == std::string_view(history_[newest].data(), history_length_[newest]))
        return;
    history_[history_next_] = text_;
    history_length_[history_next_] = static_cast<uint8_t>(length_);
    history_next_ = (history_next_ + 1) % history_lines;
    history_count_ = std::min(history_count_ + 1, history_lines);
}

void LineEditor::recall(size_t back, TextOut& out)
{
    if (back > history_count_) {
        out.put_raw("\a");
        return;
    }
    if (recalled_ == 0) {
        draft_ = text_;
        draft_length_ = length_;
    }
    recalled_ = back;
    if (back == 0) {
        text_ = draft_;
        length_ = draft_length_;
    } else {
        const size_t index = (history_next_ + history_lines - back) % history_lines;
        text_ = history_[index];
        length_ = history_length_[index];
    }
    cursor_ = length_;
    redraw(out);
}

}  // namespace bulkhead
