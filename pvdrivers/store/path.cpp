// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/path.hpp"

#include "pvdrivers/store/number.hpp"

#include <cerrno>
#include <cstring>

namespace bulkhead::store {

namespace {

constexpr bool is_path_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9' && c != '.') || (c >= '@' && c <= 'Z') || c == '_';
}
static_assert('-' + 1 == '.' && '.' + 1 == '/' && '/' + 1 == '0' && '@' + 1 == 'A');

// What follows a path that ends in `before`, 0 at the beginning of one.
bool is_valid(std::string_view path, char before)
{
    const bool is_root = before == 0 && path.size() == 1;
    for (const char c : path) {
        if (!is_path_character(c) || (c == '/' && before == '/'))
            return false;
        before = c;
    }
    return before != '/' || is_root;
}

}  // namespace

Error Path::assign(std::string_view text, uint32_t domain, Special special)
{
    relative_ = false;
    length_ = 0;
    const bool is_name = text.starts_with('@');
    if (is_name && (special == Special::refused || text.find('/') != std::string_view::npos))
        return EINVAL;
    if (!is_name && !text.starts_with('/')) {
        if (text.size() > XENSTORE_REL_PATH_MAX)
            return EINVAL;
        relative_ = true;
        length_ = static_cast<uint16_t>(domain_path(domain, text_));
        text_[length_++] = '/';
    }
    if (length_ + text.size() > XENSTORE_ABS_PATH_MAX)
        return EINVAL;
    std::memcpy(text_ + length_, text.data(), text.size());
    length_ = static_cast<uint16_t>(length_ + text.size());
    return length_ != 0 && is_valid(text, relative_ ? '/' : '\0') ? 0 : EINVAL;
}

void Path::assign_checked(std::string_view text)
{
    relative_ = false;
    length_ = static_cast<uint16_t>(text.size());
    std::memcpy(text_, text.data(), text.size());
}

bool Path::push(std::string_view name)
{
    const size_t slash = is_root() ? 0 : 1;
    if (length_ + slash + name.size() > XENSTORE_ABS_PATH_MAX)
        return false;
    if (slash != 0)
        text_[length_++] = '/';
    std::memcpy(text_ + length_, name.data(), name.size());
    length_ = static_cast<uint16_t>(length_ + name.size());
    return true;
}

void Path::pop()
{
    length_ = static_cast<uint16_t>(parent().size());
}

std::string_view Path::parent_of(std::string_view path)
{
    const size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string_view::npos ? path.substr(0, 1) : path.substr(0, slash);
}

size_t domain_path(uint32_t domain, char* out)
{
    constexpr std::string_view top = "/local/domain/";
    std::memcpy(out, top.data(), top.size());
    return static_cast<size_t>(write_number(out + top.size(), domain) - out);
}

bool is_below(std::string_view path, std::string_view top)
{
    if (top == "/")
        return path.starts_with('/');
    return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

bool Components::next()
{
    if (end_ >= path_.size())
        return false;
    const char* const path = path_.data();
    const char* const end = path + path_.size();
    const char* at = path + end_;
    const char* name = at;
    // Hashed on the way: every request comes through here several times. A special name has no
    // slash before it.
    uint32_t hash = hash_;
    if (*at == '/') {
        hash = extend_hash(hash, *at);
        name = ++at;
    }
    while (at != end && *at != '/')
        hash = extend_hash(hash, *at++);
    hash_ = hash;
    name_ = std::string_view(name, static_cast<size_t>(at - name));
    end_ = static_cast<size_t>(at - path);
    return true;
}

uint32_t hash_path(std::string_view path, uint32_t seed)
{
    Components at(path, seed);
    while (at.next()) {
    }
    return at.hash();
}

}  // namespace bulkhead::store
