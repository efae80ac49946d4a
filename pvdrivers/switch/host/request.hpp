// SPDX-License-Identifier: BSD-2-Clause
// Reads one HTTP/1 request, byte by byte, in memory of a fixed size. Strict: lines end with CR and LF,
// no folded headers, no control characters, one Host in HTTP/1.1, no body. Source: RFC 9112.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bulkhead::net {

class Request {
public:
    static constexpr size_t most_target_bytes = 256;
    static constexpr size_t most_header_bytes = 4096;   // all lines behind the first
    static constexpr size_t most_headers = 64;

    // False: the request has ended with this byte, and status() says how. No more may be fed then.
    [[nodiscard]] bool feed(char c);

    // 200: GET or HEAD of path(). Else the error to answer: 400, 405, 414, 431, 505.
    [[nodiscard]] unsigned status() const { return status_; }
    // Without a query.
    [[nodiscard]] std::string_view path() const;
    [[nodiscard]] bool head_only() const { return method() == "HEAD"; }
    // The client understands chunks.
    [[nodiscard]] bool is_1_1() const { return version_[7] != '0'; }

private:
    enum class At : uint8_t {
        beginning, beginning_lf, method, target, version, version_lf, header, name, value_begin, value, value_lf, end_lf
    };
    bool end(uint16_t status)
    {
        status_ = status;
        return false;
    }
    bool feed_first_line(char c);
    bool feed_header(char c);
    bool end_of_version();
    bool end_of_value();
    bool finish();
    [[nodiscard]] std::string_view method() const { return {method_.data(), method_length_}; }
    [[nodiscard]] std::string_view target() const { return {target_.data(), target_length_}; }

    At at_ = At::beginning;
    uint8_t method_length_ = 0;
    uint16_t target_length_ = 0;
    uint8_t version_length_ = 0;
    uint8_t name_length_ = 0;
    uint8_t headers_ = 0;
    uint8_t hosts_ = 0;
    uint16_t header_bytes_ = 0;
    uint16_t status_ = 0;
    bool value_is_zero_ = true;     // of Content-Length
    bool has_body_ = false;
    std::array<char, 16> method_{};
    std::array<char, most_target_bytes> target_{};
    std::array<char, 8> version_{};
    std::array<char, 20> name_{};   // in small letters; a longer one is none that matters
};

}  // namespace bulkhead::net
