// SPDX-License-Identifier: BSD-2-Clause
// Requests of the XenStore protocol, one function each. A request is carried out within one operation
// of the region: when it fails, all that it did is undone and its error is the answer.
// Source: xen/docs/misc/xenstore.txt; xen/include/public/io/xs_wire.h.
#pragma once

#include "pvdrivers/store/number.hpp"
#include "pvdrivers/store/permissions.hpp"
#include "pvdrivers/store/scratch.hpp"

namespace bulkhead::store {

// The answer's payload, in scratch.reply behind room for its header.
class Reply {
public:
    // False if it does not fit the protocol.
    [[nodiscard]] bool add(std::string_view bytes);
    // With its final NUL.
    [[nodiscard]] bool add_string(std::string_view text) { return add(text) && add(std::string_view("", 1)); }
    // Room for so many bytes, null if they do not fit.
    [[nodiscard]] char* extend(size_t bytes);
    void clear() { bytes_ = 0; }
    [[nodiscard]] size_t bytes() const { return bytes_; }
    [[nodiscard]] size_t room() const { return XENSTORE_PAYLOAD_MAX - bytes_; }

private:
    size_t bytes_ = 0;
};

struct Request {
    Region& region;
    store_client& client;
    Subject subject;
    Reference transaction;     // 0: none
    std::string_view payload;
    Reply& reply;
};

// The answer of requests that have none of their own.
[[nodiscard]] inline Error acknowledge(Request& request) { return request.reply.add_string("OK") ? 0 : E2BIG; }

using Handler = Error (*)(Request&);

// Carries out a request that lies whole at `message` and puts the answer with its header into
// scratch.reply; returns its bytes. Called within an operation; the operation goes on.
[[nodiscard]] size_t answer(Region& region, store_client& client, const xsd_sockmsg& head, std::string_view payload);

// The payload as strings that end in NUL.
[[nodiscard]] bool only_string(std::string_view payload, std::string_view& text);
[[nodiscard]] bool next_string(std::string_view& payload, std::string_view& text);

Error handle_directory(Request& request);
Error handle_directory_part(Request& request);
Error handle_read(Request& request);
Error handle_write(Request& request);
Error handle_mkdir(Request& request);
Error handle_rm(Request& request);
Error handle_get_perms(Request& request);
Error handle_set_perms(Request& request);
Error handle_watch(Request& request);
Error handle_unwatch(Request& request);
Error handle_reset_watches(Request& request);
Error handle_transaction_start(Request& request);
Error handle_transaction_end(Request& request);
Error handle_introduce(Request& request);
Error handle_release(Request& request);
Error handle_get_domain_path(Request& request);
Error handle_is_domain_introduced(Request& request);
Error handle_resume(Request& request);
Error handle_set_target(Request& request);
Error handle_control(Request& request);

}  // namespace bulkhead::store
