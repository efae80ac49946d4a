// SPDX-License-Identifier: BSD-2-Clause
// The hosts of the switch: on each network one of its own on lwIP, with an IPv4 and IPv6 address and an
// mDNS name as the plan says, and what it serves: the status page and the metrics over HTTP, and a
// read-only diagnosis port. They use figures.hpp and the core's answers, and change nothing.
#pragma once

#include "pvdrivers/switch/figures.hpp"
#include "pvdrivers/switch/host/box.hpp"

#include <bulkhead/result.hpp>
#include <bulkhead/slice.hpp>

struct netif;

namespace bulkhead::net {

inline constexpr size_t most_hosts = 16;

// Once in the program, after lwIP has been started and before the first frame. Both must live for ever.
void start_hosts(const Figures& figures, const Box& box);

// For each network of the slice, in any order. The caller has added the netif (netif_add_noaddr) with
// its hwaddr, mtu, linkoutput, output = etharp_output, output_ip6 = ethip6_output, input =
// netif_input, the flags BROADCAST, ETHARP, ETHERNET, IGMP and MLD6, and set it and its link up; it
// must live for ever. A network without address and ipv6 gets no host: then nothing is done.
// XEN_EINVAL: a property cannot be used; XEN_ENOSPC: too many networks; XEN_ENOMEM: lwIP has no
// memory for it. The console has been told.
Result<> add_host(netif& card, SliceNode network);

}  // namespace bulkhead::net
