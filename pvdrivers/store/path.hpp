// SPDX-License-Identifier: BSD-2-Clause
// Paths as clients send them, made absolute and checked. The hash of a path is made from left to
// right, so that every prefix has one of its own on the way.
// Source: xen/docs/misc/xenstore.txt, "Node and value format" (what a path may hold).
#pragma once

#include "pvdrivers/store/region.hpp"

#include <cerrno>
#include <string_view>

// xs_wire.h defines its names of errors only behind <cerrno>.
extern "C" {
#include <xen/io/xs_wire.h>
}

namespace bulkhead::store {

// FNV-1a.
[[nodiscard]] constexpr uint32_t extend_hash(uint32_t hash, char next)
{
    return (hash ^ static_cast<uint8_t>(next)) * 0x01000193;
}

class Path {
public:
    // Whether a path may begin with '@' and be a name of its own. It is never a relative path.
    enum class Special : uint8_t { refused, allowed };

    // EINVAL if it is not a path. A relative one is below the domain's own.
    [[nodiscard]] Error assign(std::string_view text, uint32_t domain, Special special = Special::refused);
    // A path that the store itself keeps.
    void assign_checked(std::string_view text);
    // Adds "/name", which must be a valid one; false if it becomes too long.
    [[nodiscard]] bool push(std::string_view name);
    void pop();

    [[nodiscard]] std::string_view text() const { return {text_, length_}; }
    [[nodiscard]] bool is_root() const { return length_ == 1 && text_[0] == '/'; }
    [[nodiscard]] bool is_special() const { return text_[0] == '@'; }
    [[nodiscard]] bool was_relative() const { return relative_; }
    [[nodiscard]] std::string_view parent() const { return parent_of(text()); }

    [[nodiscard]] static std::string_view parent_of(std::string_view path);

private:
    uint16_t length_ = 0;
    bool relative_ = false;
    char text_[XENSTORE_ABS_PATH_MAX];
};

// "/local/domain/N"; returns its length. `out` has room for domain_path_bytes.
inline constexpr size_t domain_path_bytes = 32;
size_t domain_path(uint32_t domain, char* out);

// Whether `path` is `top` or below it.
[[nodiscard]] bool is_below(std::string_view path, std::string_view top);

// Goes through a path's components: for "/a/b" that is "a", then "b".
class Components {
public:
    Components(std::string_view path, uint32_t seed) : path_(path), hash_(seed)
    {
        end_ = path.size() == 1 && path[0] == '/' ? 1 : 0;
    }

    // Steps to the next component; false at the end.
    [[nodiscard]] bool next();
    [[nodiscard]] std::string_view name() const { return name_; }
    // Of the path up to and including this component.
    [[nodiscard]] std::string_view prefix() const { return path_.substr(0, end_); }
    [[nodiscard]] uint32_t hash() const { return hash_; }
    [[nodiscard]] bool is_last() const { return end_ == path_.size(); }

private:
    std::string_view path_;
    std::string_view name_;
    size_t end_;
    uint32_t hash_;
};

[[nodiscard]] uint32_t hash_path(std::string_view path, uint32_t seed);

}  // namespace bulkhead::store
