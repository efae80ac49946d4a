// SPDX-License-Identifier: BSD-2-Clause
// Working memory that is too large for the stack and means nothing between requests.
#pragma once

#include <array>
#include <cerrno>

// xs_wire.h defines its names of errors only behind <cerrno>.
extern "C" {
#include <xen/io/xs_wire.h>
}

namespace bulkhead::store {

struct Scratch {
    std::array<char, XENSTORE_PAYLOAD_MAX> value;  // of a node that is copied within the region
    std::array<char, sizeof(xsd_sockmsg) + XENSTORE_PAYLOAD_MAX> request;
    std::array<char, sizeof(xsd_sockmsg) + XENSTORE_PAYLOAD_MAX> reply;
};

extern Scratch scratch;

}  // namespace bulkhead::store
