// SPDX-License-Identifier: BSD-2-Clause
// Makes a partition's text harmless: what comes out cannot move the cursor, change colours, hide or
// imitate another source's lines, or make the terminal answer. Valid UTF-8 stays as it is; bytes
// that are not are shown as '?'. A byte comes in, at most one character comes out.
//
// Gone are escape sequences with all that belongs to them (ECMA-48, "Control functions": CSI, OSC,
// DCS, SOS, PM and APC strings), C0 controls but the tab, DEL, C1 controls in UTF-8, and the
// characters that turn the direction of writing (Unicode, UAX #9) or separate lines. A carriage
// return starts the line again as on a terminal, a backspace takes the last character back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bulkhead {

class Sanitizer {
public:
    // More room than the text is long, that the output may need: a character begun before it.
    static constexpr size_t extra_bytes = 4;

    constexpr Sanitizer() = default;

    // A new line begins: whatever was unfinished is forgotten, so that nothing swallows it.
    void start_line() { *this = Sanitizer(); }
    // Cleans one part of a line (no newline in it) into `out`, which has room for text.size() +
    // extra_bytes. Returns the length. A carriage return drops what this call had put out.
    size_t clean(std::string_view text, char* out);
    // The end of the line: what is left of an unfinished character. Returns 0 or 1.
    size_t finish_line(char* out);

    // A carriage return came before this part's text: it stands for a new line of its own.
    [[nodiscard]] bool restarted() const { return restarted_; }
    // In the middle of neither a control sequence nor a character.
    [[nodiscard]] bool at_rest() const { return state_ == State::text && character_length_ == 0; }

private:
    enum class State : uint8_t { text, escape, escape_intermediate, control_sequence, string, string_escape };

    void take(uint8_t byte);
    void take_control(uint8_t byte);
    void take_text(uint8_t byte);
    void take_lead(uint8_t byte);
    void take_escape(uint8_t byte);
    void end_character();
    void take_c1(uint32_t code);
    void put(const char* bytes, size_t count);
    void take_back();

    char* out_ = nullptr;
    size_t length_ = 0;
    State state_ = State::text;
    bool return_seen_ = false;      // a carriage return, and no text since
    bool restarted_ = false;
    uint8_t character_length_ = 0;  // bytes of a character so far
    uint8_t character_needed_ = 0;
    uint8_t second_low_ = 0;        // what its second byte may be
    uint8_t second_high_ = 0;
    char character_[4] = {};
};

}  // namespace bulkhead
