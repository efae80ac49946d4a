// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/request.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// Source: RFC 9110, "Tokens".
constexpr bool is_token(char c)
{
    return is_digit(c) || is_letter(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}
constexpr bool is_visible(char c) { return c > ' ' && c < 0x7f; }
constexpr bool is_value(char c) { return c == ' ' || c == '\t' || is_visible(c) || static_cast<uint8_t>(c) >= 0x80; }
constexpr char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

}  // namespace

bool Request::feed(char c)
{
    if (at_ < At::header)
        return feed_first_line(c);
    if (++header_bytes_ > most_header_bytes)
        return end(431);
    return feed_header(c);
}

bool Request::feed_first_line(char c)
{
    switch (at_) {
    case At::beginning:     // one empty line before it is allowed
        if (c == '\r') {
            at_ = At::beginning_lf;
            return true;
        }
        at_ = At::method;
        return feed_first_line(c);
    case At::beginning_lf:
        at_ = At::method;
        return c == '\n' || end(400);
    case At::method:
        if (c == ' ' && method_length_ != 0) {
            at_ = At::target;
            return true;
        }
        if (!is_token(c) || method_length_ == method_.size())
            return end(400);
        method_[method_length_++] = c;
        return true;
    case At::target:
        if (c == ' ' && target_length_ != 0) {
            at_ = At::version;
            return true;
        }
        if (!is_visible(c))
            return end(400);
        if (target_length_ == target_.size())
            return end(414);
        target_[target_length_++] = c;
        return true;
    case At::version:
        if (c == '\r') {
            at_ = At::version_lf;
            return end_of_version();
        }
        if (version_length_ == version_.size())
            return end(400);
        version_[version_length_++] = c;
        return true;
    default:
        at_ = At::header;
        return c == '\n' || end(400);
    }
}

bool Request::end_of_version()
{
    const std::string_view version(version_.data(), version_length_);
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7]))
        return end(400);
    return version[5] == '1' || end(505);
}

bool Request::feed_header(char c)
{
    switch (at_) {
    case At::header:
        if (c == '\r') {
            at_ = At::end_lf;
            return true;
        }
        if (++headers_ > most_headers)
            return end(431);
        name_length_ = 0;
        at_ = At::name;
        return is_token(c) ? feed_header(c) : end(400);
    case At::name:
        if (c == ':') {
            value_is_zero_ = true;
            at_ = At::value_begin;
            return true;
        }
        if (!is_token(c))
            return end(400);
        if (name_length_ < name_.size())
            name_[name_length_++] = small(c);
        return true;
    case At::value_begin:
        if (c == ' ' || c == '\t')
            return true;
        at_ = At::value;
        [[fallthrough]];
    case At::value:
        if (c == '\r') {
            at_ = At::value_lf;
            return end_of_value();
        }
        if (c != '0' && c != ' ' && c != '\t')
            value_is_zero_ = false;
        return is_value(c) || end(400);
    case At::value_lf:
        at_ = At::header;
        return c == '\n' || end(400);
    default:
        return c == '\n' ? finish() : end(400);
    }
}

bool Request::end_of_value()
{
    const std::string_view name(name_.data(), name_length_);
    if (name == "host")
        hosts_ = static_cast<uint8_t>(std::min(hosts_ + 1, 2));
    if (name == "transfer-encoding" || (name == "content-length" && !value_is_zero_))
        has_body_ = true;
    return true;
}

bool Request::finish()
{
    if (hosts_ > 1 || (hosts_ == 0 && is_1_1()))
        return end(400);
    if (method() != "GET" && method() != "HEAD")
        return end(405);
    if (has_body_ || !(target().starts_with('/') || target().starts_with("http://")))
        return end(400);
    return end(200);
}

std::string_view Request::path() const
{
    std::string_view path = target();
    if (path.starts_with("http://")) {
        path.remove_prefix(7);
        path.remove_prefix(std::min(path.find_first_of("/?"), path.size()));
    }
    path = path.substr(0, path.find('?'));
    return path.empty() ? "/" : path;
}

}  // namespace bulkhead::net
