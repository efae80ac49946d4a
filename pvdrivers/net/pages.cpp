// SPDX-License-Identifier: BSD-2-Clause
// Pages by HTTP, as small as it can be: the request's first line counts, the rest is skipped, the answer
// ends with the connection. Source: RFC 9112, "Message Format", "Connection: close".
#include <bulkhead/net.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <lwip/tcp.h>

namespace bulkhead::net {

namespace {

constexpr size_t most_request = 512;            // of its first line and headers
constexpr u8_t patience = 20;                   // half seconds
constexpr u8_t idle_interval = 2;               // of them, between looks

struct Server {
    PageMaker maker;
    void* context;
};

// A connection. Null pcb: free.
struct Connection {
    tcp_pcb* pcb;
    Server* server;
    std::array<char, most_request> request;
    size_t got;
    std::array<char, most_page_bytes + 192> answer;
    size_t bytes, queued;       // of the answer
    u8_t age;
};

std::array<Connection, 4> connections;

void end(Connection& connection, bool abort)
{
    tcp_pcb* pcb = std::exchange(connection.pcb, nullptr);
    if (pcb == nullptr)
        return;
    tcp_arg(pcb, nullptr);
    tcp_recv(pcb, nullptr);
    tcp_sent(pcb, nullptr);
    tcp_err(pcb, nullptr);
    tcp_poll(pcb, nullptr, 0);
    if (abort)
        tcp_abort(pcb);
    else
        (void)tcp_close(pcb);       // without memory for it now, lwIP does it later
}

// Gives TCP what it has room for.
void push(Connection& connection)
{
    while (connection.queued < connection.bytes) {
        const size_t now = std::min<size_t>(connection.bytes - connection.queued, tcp_sndbuf(connection.pcb));
        if (now == 0 || tcp_write(connection.pcb, connection.answer.data() + connection.queued, static_cast<u16_t>(now),
                                  TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        connection.queued += now;
    }
    tcp_output(connection.pcb);
}

void add(Connection& connection, std::string_view text)
{
    text = text.substr(0, connection.answer.size() - connection.bytes);
    std::ranges::copy(text, connection.answer.begin() + static_cast<ptrdiff_t>(connection.bytes));
    connection.bytes += text.size();
}

void answer(Connection& connection)
{
    const std::string_view request(connection.request.data(), connection.got);
    const size_t end_of_path = request.find(' ', 4);
    const bool is_get = request.starts_with("GET ") && end_of_path != std::string_view::npos;
    Page page{};
    std::string_view status = "501 Not Implemented";
    if (is_get) {
        page = connection.server->maker(connection.server->context, request.substr(4, end_of_path - 4));
        status = page.type != nullptr ? "200 OK" : "404 Not Found";
    }
    if (page.type == nullptr)
        page = {"text/plain", is_get ? "there is no such page\n" : "GET is all that there is\n"};
    page.body = page.body.substr(0, most_page_bytes);
    std::array<char, 12> length;
    const char* length_end = std::to_chars(length.begin(), length.end(), page.body.size()).ptr;
    for (const std::string_view part :
         {std::string_view("HTTP/1.1 "), status, std::string_view("\r\nContent-Type: "), std::string_view(page.type),
          std::string_view("\r\nContent-Length: "), std::string_view(length.data(), length_end),
          std::string_view("\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"), page.body})
        add(connection, part);
}

err_t received(void* context, tcp_pcb* pcb, pbuf* data, err_t)
{
    auto& connection = *static_cast<Connection*>(context);
    if (data == nullptr) {
        // The other side has said all; what is queued still goes out.
        if (connection.bytes == 0)
            end(connection, false);
        return ERR_OK;
    }
    tcp_recved(pcb, data->tot_len);
    const size_t now = std::min<size_t>(data->tot_len, connection.request.size() - connection.got);
    pbuf_copy_partial(data, connection.request.data() + connection.got, static_cast<u16_t>(now), 0);
    pbuf_free(data);
    connection.got += now;
    if (connection.bytes != 0)
        return ERR_OK;          // it has been answered; more is not wanted
    const std::string_view request(connection.request.data(), connection.got);
    const bool whole = request.find("\r\n\r\n") != std::string_view::npos || request.find("\n\n") != std::string_view::npos;
    if (!whole && connection.got < connection.request.size())
        return ERR_OK;
    answer(connection);
    push(connection);
    return ERR_OK;
}

err_t sent(void* context, tcp_pcb* pcb, u16_t)
{
    auto& connection = *static_cast<Connection*>(context);
    connection.age = 0;
    if (connection.bytes != 0 && connection.queued == connection.bytes && tcp_sndqueuelen(pcb) == 0) {
        end(connection, false);
        return ERR_OK;
    }
    push(connection);
    return ERR_OK;
}

// Who neither asks nor takes its answer makes room.
err_t grown_old(void* context, tcp_pcb*)
{
    auto& connection = *static_cast<Connection*>(context);
    connection.age = static_cast<u8_t>(connection.age + idle_interval);
    if (connection.age >= patience) {
        end(connection, true);
        return ERR_ABRT;
    }
    if (connection.bytes != 0)
        push(connection);
    return ERR_OK;
}

err_t accepted(void* context, tcp_pcb* pcb, err_t error)
{
    if (error != ERR_OK || pcb == nullptr)
        return ERR_VAL;
    const auto free = std::ranges::find(connections, nullptr, &Connection::pcb);
    if (free == connections.end()) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    free->pcb = pcb;
    free->server = static_cast<Server*>(context);
    free->got = free->bytes = free->queued = 0;
    free->age = 0;
    tcp_arg(pcb, &*free);
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_poll(pcb, grown_old, idle_interval);
    tcp_err(pcb, [](void* which, err_t) {
        if (which != nullptr)
            static_cast<Connection*>(which)->pcb = nullptr;
    });
    return ERR_OK;
}

}  // namespace

Result<> serve_pages(uint16_t port, PageMaker maker, void* context)
{
    static std::array<Server, 4> servers;
    static size_t count;
    tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == nullptr || count == servers.size()) {
        if (pcb != nullptr)
            tcp_abort(pcb);
        return failure(XEN_ENOMEM);
    }
    const err_t bound = tcp_bind(pcb, IP_ANY_TYPE, port);
    tcp_pcb* listening = bound == ERR_OK ? tcp_listen_with_backlog(pcb, 4) : nullptr;
    if (listening == nullptr) {
        tcp_abort(pcb);
        return failure(bound == ERR_USE ? XEN_EADDRINUSE : XEN_ENOMEM);
    }
    servers[count] = {maker, context};
    tcp_arg(listening, &servers[count++]);
    tcp_accept(listening, accepted);
    return {};
}

}  // namespace bulkhead::net
