// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/annotation.hpp"

#include <algorithm>
#include <utility>

#include "boot/plan/value.hpp"

namespace bulkhead::tool {

namespace {

// One statement of the annotated source: what stands before '{', '}' or ';', and the comment behind.
struct Statement {
    std::string text;
    char end = '\0';  // '\0' at the end of the source
    Location at;
};

class Scanner {
public:
    explicit Scanner(std::string_view source) : source_(source) {}

    Statement next()
    {
        Statement statement;
        while (!source_.empty()) {
            if (starts("/*")) {
                comment();  // one that stands alone
            } else if (source_.front() == '"') {
                statement.text += string();
            } else if (const char character = take(); character == '{' || character == '}' ||
                                                      character == ';') {
                statement.end = character;
                if (character == '}' && starts(";"))
                    take();
                if (starts(" /*")) {
                    take();
                    statement.at = parse_place(comment());
                }
                return statement;
            } else {
                statement.text += character;
            }
        }
        return statement;
    }

private:
    [[nodiscard]] bool starts(std::string_view with) const { return source_.starts_with(with); }
    char take()
    {
        const char character = source_.front();
        source_.remove_prefix(1);
        return character;
    }
    std::string string()
    {
        std::string out(1, take());
        while (!source_.empty()) {
            const char character = take();
            out += character;
            if (character == '"')
                break;
            if (character == '\\' && !source_.empty())
                out += take();
        }
        return out;
    }
    std::string_view comment()
    {
        const size_t end = source_.find("*/", 2);
        const auto inside = source_.substr(2, end == std::string_view::npos ? end : end - 2);
        source_.remove_prefix(end == std::string_view::npos ? source_.size() : end + 2);
        return inside;
    }

    std::string_view source_;
};

// "label: other: name = <1>" names "name"; "name" and "/" name themselves.
std::string_view name_in(std::string_view statement)
{
    auto name = trim(statement.substr(0, statement.find_first_of("=\"")));
    if (const size_t space = name.find_last_of(" \t\r\n"); space != std::string_view::npos)
        name = name.substr(space + 1);
    return name;
}

void inherit(Node& node, const Location& outer)
{
    if (node.at.file.empty())
        node.at = outer;
    for (auto& property : node.properties)
        if (property.at.file.empty())
            property.at = node.at;
    for (auto& child : node.children)
        inherit(child, node.at);
}

// Walks both trees in step: properties and nodes come in the same order in each.
void place_node(Scanner& scanner, Node* node)
{
    size_t property = 0;
    size_t child = 0;
    for (;;) {
        const Statement statement = scanner.next();
        if (statement.end == '}' || statement.end == '\0')
            return;
        const auto name = name_in(statement.text);
        if (statement.end == ';') {
            if (node == nullptr || name.empty() || name.front() == '/')
                continue;
            size_t match = property;
            while (match < node->properties.size() && node->properties[match].name != name)
                ++match;
            if (match < node->properties.size()) {
                node->properties[match].at = statement.at;
                property = match + 1;
            }
            continue;
        }
        Node* inner = node != nullptr && child < node->children.size() ? &node->children[child] : nullptr;
        if (inner != nullptr && inner->name == name) {
            inner->at = statement.at;
            ++child;
        } else {
            inner = nullptr;
        }
        place_node(scanner, inner);
    }
}

}  // namespace

Location parse_place(std::string_view comment)
{
    // A file's name may hold anything, so the numbers are looked for first: ":6:21-" or ":6".
    for (size_t colon = comment.find(':'); colon != std::string_view::npos;
         colon = comment.find(':', colon + 1)) {
        const auto rest = comment.substr(colon + 1);
        const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const bool ends = digits == rest.size() || rest[digits] == ':' || rest[digits] == ',';
        if (const auto line = parse_number(rest.substr(0, digits)); ends && line)
            return {std::string(trim(comment.substr(0, colon))), static_cast<unsigned>(*line)};
    }
    return {};
}

void place(Node& tree, std::string_view annotated, const std::string& file)
{
    Scanner scanner(annotated);
    for (;;) {
        const Statement statement = scanner.next();
        if (statement.end == '\0')
            break;
        if (statement.end != '{')
            continue;
        if (name_in(statement.text) == "/")
            tree.at = statement.at;
        place_node(scanner, &tree);
    }
    inherit(tree, {file, 0});
}

}  // namespace bulkhead::tool
