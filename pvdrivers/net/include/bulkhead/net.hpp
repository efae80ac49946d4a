// SPDX-License-Identifier: BSD-2-Clause
// Sockets for a program: a network card of the plan (`vif` of its partition) with lwIP on it. What the program
// does with it is lwIP's own callback interface, <lwip/tcp.h> and <lwip/udp.h>: without threads, and its callbacks
// run within waits, as handlers do. Everything belongs to the vCPU that starts the card. A program that
// is linked with liblwip.a has it; see docs/bare-metal.md.
#pragma once

#include <bulkhead/result.hpp>
#include <bulkhead/slice.hpp>

#include <cstdint>
#include <span>
#include <string_view>

#include <lwip/netif.h>

namespace bulkhead::net {

// Starts lwIP, the first time, and the card. `settings` has what the plan says: address ("10.0.2.30/24" or "dhcp"),
// gateway, ipv6 ("slaac" or "fd00::1/64"), host-name. The console is told each address. The card works as
// soon as its back end does, and again when that has been away.
// XEN_ENODEV: the partition has no store. XEN_ENOENT: no such card. XEN_EINVAL: a setting that is none, which the
// console names.
[[nodiscard]] Result<netif*> start_card(unsigned card, SliceNode settings);

// A page for who asks by HTTP: GET, one answer a connection, at most four at a time. Nothing that is sent
// here makes it take more memory.
struct Page {
    const char* type;           // "text/html; charset=utf-8"; null: there is no such page
    std::string_view body;      // copied before the next call of anything; at most most_page_bytes
};
inline constexpr size_t most_page_bytes = 16384;
using PageMaker = Page (*)(void* context, std::string_view path);
// XEN_EADDRINUSE, XEN_ENOMEM.
Result<> serve_pages(uint16_t port, PageMaker maker, void* context);

}  // namespace bulkhead::net
