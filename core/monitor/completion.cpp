// SPDX-License-Identifier: BSD-2-Clause
// Which list a word belongs to follows from the command before it.
#include "core/monitor/completion.hpp"

#include "core/monitor/command.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

struct WordAtCursor {
    std::string_view text;      // up to the cursor; may be empty
    WordKind kind;
};

WordAtCursor word_at_cursor(std::string_view line)
{
    const size_t blank = line.find_last_of(' ');
    const size_t begin = blank == std::string_view::npos ? 0 : blank + 1;
    const Words before = split_words(line.substr(0, begin));
    WordAtCursor word{line.substr(begin), WordKind::none};
    if (before.count == 0) {
        word.kind = WordKind::command;
        return word;
    }
    const Match match = find_name(names_of(WordKind::command), before[0]);
    if (match.meaning != Meaning::one)
        return word;
    const Command& command = commands()[match.index];
    if (before.count == 1)
        word.kind = command.first;
    else if (before.count == 2)
        word.kind = command.second;
    return word;
}

// What all names that begin with `word` have in common.
std::string_view common_beginning(const NameList& names, std::string_view word, size_t& matches)
{
    std::string_view common;
    matches = 0;
    for (size_t i = 0; i < names.count; ++i) {
        const std::string_view name = names.at(i);
        if (!begins_with(name, word))
            continue;
        if (matches++ == 0) {
            common = name;
            continue;
        }
        const auto differs = std::mismatch(common.begin(), common.end(), name.begin(), name.end());
        common = common.substr(0, static_cast<size_t>(differs.first - common.begin()));
    }
    return common;
}

void list_names(const NameList& names, std::string_view word, TextOut& out)
{
    out.put("\n");
    size_t column = 0;
    for (size_t i = 0; i < names.count && out.room() > 200; ++i) {
        const std::string_view name = names.at(i);
        if (!begins_with(name, word))
            continue;
        if (column + name.size() + 2 > 78) {
            out.put("\n");
            column = 0;
        }
        out.put(name);
        out.put("  ");
        column += name.size() + 2;
    }
    out.put("\n");
}

}  // namespace

void complete(LineEditor& editor, TextOut& out)
{
    const WordAtCursor word = word_at_cursor(editor.before_cursor());
    const NameList names = names_of(word.kind);
    size_t matches = 0;
    const std::string_view common = common_beginning(names, word.text, matches);
    if (matches == 0) {
        out.put_raw("\a");
    } else if (matches == 1 || common.size() > word.text.size()) {
        editor.insert(common.substr(word.text.size()), out);
        if (matches == 1)
            editor.insert(" ", out);
    } else {
        list_names(names, word.text, out);
        editor.redraw(out);
    }
}

}  // namespace bulkhead
