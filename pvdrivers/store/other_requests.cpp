// SPDX-License-Identifier: BSD-2-Clause
// Requests about watches, transactions and domains.
#include "pvdrivers/store/accounts.hpp"
#include "pvdrivers/store/check.hpp"
#include "pvdrivers/store/requests.hpp"
#include "pvdrivers/store/transactions.hpp"
#include "pvdrivers/store/watches.hpp"

#include <cerrno>

namespace bulkhead::store {

namespace {

// The client whose domain the payload's first string names; null: it is no number or no client.
store_client* named_client(Request& request, std::string_view& payload)
{
    std::string_view text;
    uint32_t domain = 0;
    if (!next_string(payload, text) || !parse_number(text, domain))
        return nullptr;
    return client_of(request.region, domain);
}

}  // namespace

Error handle_watch(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    std::string_view token;
    std::string_view depth_text;
    uint32_t depth = any_depth;
    if (!next_string(payload, text) || !next_string(payload, token))
        return EINVAL;
    if (next_string(payload, depth_text) && !depth_text.empty() && !parse_number(depth_text, depth))
        return EINVAL;
    Path path;
    if (const Error error = path.assign(text, request.client.domain, Path::Special::allowed))
        return error;
    if (const Error error = add_watch(request.region, request.client, path, token, depth))
        return error;
    return acknowledge(request);
}

Error handle_unwatch(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    std::string_view token;
    if (!next_string(payload, text) || !next_string(payload, token))
        return EINVAL;
    Path path;
    if (path.assign(text, request.client.domain, Path::Special::allowed) != 0)
        return ENOENT;
    if (const Error error = remove_watch(request.region, request.client, path.text(), token))
        return error;
    return acknowledge(request);
}

Error handle_reset_watches(Request& request)
{
    while (request.client.watches != 0)
        drop_watch(request.region, request.client, request.client.watches);
    return acknowledge(request);
}

Error handle_transaction_start(Request& request)
{
    if (request.transaction != 0)
        return EBUSY;
    uint32_t id = 0;
    if (const Error error = start_transaction(request.region, request.client, id))
        return error;
    std::array<char, number_bytes> text;
    char* const end = write_number(text.data(), id);
    return request.reply.add_string({text.data(), static_cast<size_t>(end - text.data())}) ? 0 : E2BIG;
}

Error handle_transaction_end(Request& request)
{
    std::string_view how;
    if (!only_string(request.payload, how) || (how != "T" && how != "F"))
        return EINVAL;
    if (request.transaction == 0)
        return ENOENT;
    if (how == "T") {
        if (const Error error = apply_transaction(request.region, request.transaction))
            return error;
    }
    drop_transaction(request.region, request.client, request.transaction);
    return acknowledge(request);
}

// Every client is introduced by the core; somebody with the right to may say it again.
Error handle_introduce(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view rest;
    const store_client* client = named_client(request, payload);
    if (client == nullptr || !next_string(payload, rest) || !next_string(payload, rest))
        return EINVAL;
    if (client->state != STORE_CLIENT_RUNNING)
        return EINVAL;
    fire_special(request.region, "@introduceDomain");
    return acknowledge(request);
}

Error handle_release(Request& request)
{
    std::string_view payload = request.payload;
    store_client* client = named_client(request, payload);
    if (client == nullptr)
        return EINVAL;
    if (client->state != STORE_CLIENT_RUNNING)
        return ENOENT;
    // The core alone ends lives: this closes the ring, until the partition asks for a reconnection.
    request.region.set(client->state, STORE_CLIENT_CLOSED);
    request.region.set(client->error, XENSTORE_ERROR_COMM);
    fire_special(request.region, "@releaseDomain");
    return acknowledge(request);
}

Error handle_get_domain_path(Request& request)
{
    std::string_view text;
    uint32_t domain = 0;
    if (!only_string(request.payload, text) || !parse_number(text, domain))
        return EINVAL;
    char path[domain_path_bytes];
    return request.reply.add_string({path, domain_path(domain, path)}) ? 0 : E2BIG;
}

Error handle_is_domain_introduced(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    uint32_t domain = 0;
    if (!only_string(payload, text) || !parse_number(text, domain))
        return EINVAL;
    const store_client* client = client_of(request.region, domain);
    return request.reply.add_string(client != nullptr && client->state == STORE_CLIENT_RUNNING ? "T" : "F") ? 0 : E2BIG;
}

Error handle_resume(Request& request)
{
    std::string_view payload = request.payload;
    return named_client(request, payload) != nullptr ? acknowledge(request) : ENOENT;
}

Error handle_set_target(Request& request)
{
    std::string_view payload = request.payload;
    store_client* client = named_client(request, payload);
    const store_client* target = named_client(request, payload);
    if (client == nullptr || target == nullptr)
        return ENOENT;
    request.region.set(client->target, target->domain);
    return acknowledge(request);
}

Error handle_control(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view command;
    if (!next_string(payload, command))
        return EINVAL;
    if (command == "help")
        return request.reply.add_string("help check") ? 0 : E2BIG;
    if (command != "check")
        return EINVAL;
    const char* problem = check(request.region);
    return request.reply.add_string(problem == nullptr ? "OK" : problem) ? 0 : E2BIG;
}

}  // namespace bulkhead::store
