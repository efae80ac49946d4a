// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/request.hpp"
#include "pvdrivers/switch/host/request.cpp"

#include <string>

#include <CppUTest/TestHarness.h>

namespace {

using namespace bulkhead::net;
using namespace std::literals;

// The status; 0 if the request does not end within the text.
unsigned status_of(std::string_view text, std::string* path = nullptr, bool* head = nullptr)
{
    Request request;
    for (const char c : text)
        if (!request.feed(c)) {
            if (path != nullptr)
                *path = request.path();
            if (head != nullptr)
                *head = request.head_only();
            return request.status();
        }
    return 0;
}

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: box\r\n\r\n"; }

TEST_GROUP(request) {};

TEST(request, is_read_to_its_empty_line)
{
    std::string path;
    bool head = true;
    CHECK_EQUAL(200u, status_of(get("/metrics"), &path, &head));
    CHECK(path == "/metrics");
    CHECK_FALSE(head);
    CHECK_EQUAL(0u, status_of("GET / HTTP/1.1\r\nHost: box\r\n"));
}

TEST(request, may_be_of_http_1_0_without_host)
{
    CHECK_EQUAL(200u, status_of("GET / HTTP/1.0\r\n\r\n"));
}

TEST(request, may_come_behind_one_empty_line)
{
    CHECK_EQUAL(200u, status_of("\r\n" + get("/")));
    CHECK_EQUAL(400u, status_of("\r\n\r\n"));
}

TEST(request, of_head_is_known)
{
    bool head = false;
    CHECK_EQUAL(200u, status_of("HEAD / HTTP/1.1\r\nHost: box\r\n\r\n", nullptr, &head));
    CHECK(head);
}

TEST(request, of_another_method_is_not_allowed)
{
    for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "X"})
        CHECK_EQUAL(405u, status_of(method + " / HTTP/1.1\r\nHost: box\r\nContent-Length: 3\r\n\r\n"s));
    CHECK_EQUAL(405u, status_of("OPTIONS * HTTP/1.1\r\nHost: box\r\n\r\n"));
}

TEST(request, has_a_path_without_query_and_authority)
{
    const std::string_view cases[][2] = {{"/?a=b", "/"}, {"/x?/y", "/x"}, {"http://box/metrics?x", "/metrics"},
                                         {"http://box", "/"}, {"http://box?x", "/"}};
    for (const auto& [target, expected] : cases) {
        std::string path;
        CHECK_EQUAL(200u, status_of(get(target), &path));
        CHECK(path == expected);
    }
}

TEST(request, is_bad_in_many_ways)
{
    for (const std::string& text :
         {"\x16\x03\x01"s, "GET  / HTTP/1.1\r\n"s, " GET / HTTP/1.1\r\n"s, "GET / HTTP/1.1\n"s, "GET /\r\n"s,
          "GET / http/1.1\r\n"s, "GET / HTTP/11\r\n"s, "GET / HTTP/1.1 \r\n"s, "GET / HTTP/1.1\rX"s, "GET /\x80 HTTP/1.1\r\n"s,
          "GET /\0 HTTP/1.1\r\n"s, "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n"s, get("box"), get("ftp://box/"),
          "GET / HTTP/1.1\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"s, "GET / HTTP/1.1\r\nHost : a\r\n"s,
          "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n"s, "GET / HTTP/1.1\r\n: a\r\n"s, "GET / HTTP/1.1\r\nHost: a\0\r\n"s,
          "GET / HTTP/1.1\r\nHost: a\nX: b\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\n\rX"s,
          "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"s,
          "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"s})
        CHECK_EQUAL(400u, status_of(text));
}

TEST(request, may_say_that_it_has_no_body)
{
    CHECK_EQUAL(200u, status_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
}

TEST(request, of_another_major_version_is_refused)
{
    CHECK_EQUAL(505u, status_of("GET / HTTP/2.0\r\n"));
}

TEST(request, has_a_longest_target)
{
    CHECK_EQUAL(200u, status_of(get("/" + std::string(Request::most_target_bytes - 1, 'x'))));
    CHECK_EQUAL(414u, status_of(get("/" + std::string(Request::most_target_bytes, 'x'))));
}

TEST(request, has_most_bytes_of_headers)
{
    const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    // "Host: a", "X: " and the ends of three lines.
    const size_t others = 9 + 3 + 2 + 2;
    CHECK_EQUAL(200u, status_of(begin + std::string(Request::most_header_bytes - others, 'x') + "\r\n\r\n"));
    CHECK_EQUAL(431u, status_of(begin + std::string(Request::most_header_bytes - others + 1, 'x') + "\r\n\r\n"));
}

TEST(request, has_most_headers)
{
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < Request::most_headers; ++i)
        text += "X: y\r\n";
    CHECK_EQUAL(200u, status_of(text + "\r\n"));
    CHECK_EQUAL(431u, status_of(text + "X: y\r\n"));
}

TEST(request, takes_a_long_header_name_for_no_other)
{
    CHECK_EQUAL(400u, status_of("GET / HTTP/1.1\r\nHost" + std::string(40, 'x') + ": a\r\n\r\n"));
}

}  // namespace
