// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/requests.hpp"

#include "pvdrivers/store/transactions.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace bulkhead::store {

namespace {

struct Operation {
    Handler handler;
    bool in_transaction;  // others do not care about the transaction that the request names
    bool privileged;
};

constexpr Operation operation_of(uint32_t type)
{
    switch (type) {
    case XS_CONTROL: return {handle_control, true, true};
    case XS_DIRECTORY: return {handle_directory, true, false};
    case XS_READ: return {handle_read, true, false};
    case XS_GET_PERMS: return {handle_get_perms, true, false};
    case XS_WATCH: return {handle_watch, false, false};
    case XS_UNWATCH: return {handle_unwatch, false, false};
    case XS_TRANSACTION_START: return {handle_transaction_start, true, false};
    case XS_TRANSACTION_END: return {handle_transaction_end, true, false};
    case XS_INTRODUCE: return {handle_introduce, true, true};
    case XS_RELEASE: return {handle_release, true, true};
    case XS_GET_DOMAIN_PATH: return {handle_get_domain_path, true, false};
    case XS_WRITE: return {handle_write, true, false};
    case XS_MKDIR: return {handle_mkdir, true, false};
    case XS_RM: return {handle_rm, true, false};
    case XS_SET_PERMS: return {handle_set_perms, true, false};
    case XS_IS_DOMAIN_INTRODUCED: return {handle_is_domain_introduced, true, true};
    case XS_RESUME: return {handle_resume, true, true};
    case XS_SET_TARGET: return {handle_set_target, true, true};
    case XS_RESET_WATCHES: return {handle_reset_watches, true, false};
    case XS_DIRECTORY_PART: return {handle_directory_part, true, false};
    default: return {nullptr, false, false};
    }
}

const char* error_name(Error error)
{
    for (const auto& known : xsd_errors) {
        if (known.errnum == error)
            return known.errstring;
    }
    return "EINVAL";
}

Error carry_out(Request& request, const xsd_sockmsg& head)
{
    const Operation operation = operation_of(head.type);
    if (operation.handler == nullptr)
        return ENOSYS;
    if (operation.privileged && !request.subject.privileged)
        return EACCES;
    if (operation.in_transaction && head.tx_id != 0) {
        request.transaction = find_transaction(request.region, request.client, head.tx_id);
        if (request.transaction == 0)
            return ENOENT;
    }
    return operation.handler(request);
}

// That there was nothing at a path is something that a transaction has seen, too.
void note_missing(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    Path path;
    if (next_string(payload, text) && path.assign(text, request.client.domain) == 0 &&
        note(request.region, request.client, request.transaction, path.text()) != 0)
        std::abort();  // it worked in the operation that was undone
}

size_t finish(xsd_sockmsg head, const Reply& reply)
{
    head.len = static_cast<uint32_t>(reply.bytes());
    std::memcpy(scratch.reply.data(), &head, sizeof(head));
    return sizeof(head) + reply.bytes();
}

}  // namespace

size_t answer(Region& region, store_client& client, const xsd_sockmsg& head, std::string_view payload)
{
    Reply reply;
    Request request = {region, client, subject_of(client), 0, payload, reply};
    region.put(client.requests, client.requests + 1);
    const Error error = carry_out(request, head);
    if (error == 0)
        return finish(head, reply);

    region.undo();
    region.begin();
    // Whatever the end of a transaction answers, the transaction is over.
    if (head.type == XS_TRANSACTION_END && request.transaction != 0 && error != EINVAL)
        drop_transaction(region, client, request.transaction);
    else if (request.transaction != 0 && error == ENOENT)
        note_missing(request);
    region.put(client.refused, client.refused + 1);
    reply.clear();
    xsd_sockmsg failed = head;
    failed.type = XS_ERROR;
    if (!reply.add_string(error_name(error)))
        reply.clear();  // an error's name always fits
    return finish(failed, reply);
}

char* Reply::extend(size_t bytes)
{
    if (bytes > room())
        return nullptr;
    char* at = scratch.reply.data() + sizeof(xsd_sockmsg) + bytes_;
    bytes_ += bytes;
    return at;
}

bool Reply::add(std::string_view bytes)
{
    char* at = extend(bytes.size());
    if (at == nullptr)
        return false;
    std::memcpy(at, bytes.data(), bytes.size());
    return true;
}

bool next_string(std::string_view& payload, std::string_view& text)
{
    const size_t end = payload.find('\0');
    if (end == std::string_view::npos)
        return false;
    text = payload.substr(0, end);
    payload.remove_prefix(end + 1);
    return true;
}

bool only_string(std::string_view payload, std::string_view& text)
{
    return next_string(payload, text) && payload.empty();
}

}  // namespace bulkhead::store
