// SPDX-License-Identifier: BSD-2-Clause
// A terminal's parser without the terminal. State is a few bytes, so that a line may come in parts.
#include "core/console/sanitizer.hpp"

#include <cstring>

namespace bulkhead {

namespace {

constexpr uint8_t cancel = 0x18;
constexpr uint8_t substitute = 0x1a;
constexpr uint8_t escape = 0x1b;
constexpr uint8_t bell = 0x07;
constexpr uint8_t backspace = 0x08;
constexpr uint8_t tab = 0x09;
constexpr uint8_t carriage_return = 0x0d;
constexpr uint8_t del = 0x7f;

// Letters that turn the direction of writing, and separators that may end a line.
// Source: Unicode Standard Annex #9, "Explicit Directional Formatting Characters".
bool is_formatting(uint32_t code)
{
    return code == 0x061c || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

uint32_t decode(const char* bytes, size_t length)
{
    constexpr uint8_t lead_mask[] = {0, 0, 0x1f, 0x0f, 0x07};
    uint32_t code = static_cast<uint8_t>(bytes[0]) & lead_mask[length];
    for (size_t i = 1; i < length; ++i)
        code = code << 6 | (static_cast<uint8_t>(bytes[i]) & 0x3f);
    return code;
}

}  // namespace

size_t Sanitizer::clean(std::string_view text, char* out)
{
    out_ = out;
    length_ = 0;
    restarted_ = false;
    for (const char byte : text)
        take(static_cast<uint8_t>(byte));
    out_ = nullptr;
    return length_;
}

size_t Sanitizer::finish_line(char* out)
{
    const bool unfinished = character_length_ != 0;
    start_line();
    if (unfinished)
        *out = '?';
    return unfinished;
}

void Sanitizer::take(uint8_t byte)
{
    switch (state_) {
    case State::text:
        take_text(byte);
        break;
    case State::escape:
    case State::escape_intermediate:
        take_escape(byte);
        break;
    case State::control_sequence:
        if (byte == escape)
            state_ = State::escape;
        else if (byte == cancel || byte == substitute || (byte >= 0x40 && byte < del))
            state_ = State::text;
        else if (byte > del) {
            state_ = State::text;
            take_text(byte);
        }
        break;
    case State::string:
        if (byte == escape)
            state_ = State::string_escape;
        else if (byte == bell || byte == cancel || byte == substitute)
            state_ = State::text;
        break;
    case State::string_escape:
        state_ = State::escape;   // a backslash ends the string; anything else begins anew
        take_escape(byte);
        break;
    }
}

void Sanitizer::take_escape(uint8_t byte)
{
    if (byte == escape)
        state_ = State::escape;
    else if (byte < 0x20 && byte != cancel && byte != substitute)
        return;
    else if (byte >= 0x20 && byte < 0x30)
        state_ = State::escape_intermediate;
    else if (state_ == State::escape && byte == '[')
        state_ = State::control_sequence;
    else if (state_ == State::escape && (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_'))
        state_ = State::string;
    else {
        state_ = State::text;
        if (byte > del)
            take_text(byte);
    }
}

void Sanitizer::take_text(uint8_t byte)
{
    if (character_length_ != 0) {
        const bool second = character_length_ == 1;
        const uint8_t low = second ? second_low_ : 0x80;
        const uint8_t high = second ? second_high_ : 0xbf;
        if (byte >= low && byte <= high) {
            character_[character_length_++] = static_cast<char>(byte);
            if (character_length_ == character_needed_)
                end_character();
            return;
        }
        end_character();
    }
    if (byte < 0x20 || byte == del)
        take_control(byte);
    else if (byte < del) {
        const char printable = static_cast<char>(byte);
        put(&printable, 1);
    } else
        take_lead(byte);
}

void Sanitizer::take_control(uint8_t byte)
{
    if (byte == escape)
        state_ = State::escape;
    else if (byte == tab)
        put("\t", 1);
    else if (byte == backspace)
        take_back();
    else if (byte == carriage_return)
        return_seen_ = true;
}

// Source: The Unicode Standard, "Well-Formed UTF-8 Byte Sequences".
void Sanitizer::take_lead(uint8_t byte)
{
    if (byte < 0xc2 || byte > 0xf4) {
        put("?", 1);
        return;
    }
    character_needed_ = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    second_low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    second_high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    character_[0] = static_cast<char>(byte);
    character_length_ = 1;
}

// A whole character goes out, unless it is a control; one that was broken off is shown as '?'.
void Sanitizer::end_character()
{
    const size_t length = character_length_;
    character_length_ = 0;
    if (length == 0)
        return;
    if (length != character_needed_) {
        put("?", 1);
        return;
    }
    const uint32_t code = decode(character_, length);
    if (code < 0xa0)
        take_c1(code);
    else if (!is_formatting(code))
        put(character_, length);
}

// Source: ECMA-48, "Elements of the C1 set": DCS, SOS, CSI, OSC, PM, APC.
void Sanitizer::take_c1(uint32_t code)
{
    if (code == 0x9b)
        state_ = State::control_sequence;
    else if (code == 0x90 || code == 0x98 || code == 0x9d || code == 0x9e || code == 0x9f)
        state_ = State::string;
}

void Sanitizer::put(const char* bytes, size_t count)
{
    if (return_seen_) {
        return_seen_ = false;
        restarted_ = true;
        length_ = 0;
    }
    memcpy(out_ + length_, bytes, count);
    length_ += count;
}

void Sanitizer::take_back()
{
    while (length_ != 0) {
        --length_;
        if ((static_cast<uint8_t>(out_[length_]) & 0xc0) != 0x80)
            break;
    }
}

}  // namespace bulkhead
