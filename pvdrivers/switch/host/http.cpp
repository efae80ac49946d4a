// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/http.hpp"

#include <algorithm>

#include <lwip/tcp.h>

namespace bulkhead::net {

namespace {

std::string_view reason(unsigned status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    default: return "HTTP Version Not Supported";
    }
}

struct Document {
    std::string_view path;
    std::string_view type;
    Render render;
};
constexpr Document documents[] = {
    {"/", "text/html; charset=utf-8", render_page},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", render_metrics},
};

const Document* find_document(std::string_view path)
{
    const auto found = std::ranges::find(documents, path, &Document::path);
    return found == std::end(documents) ? nullptr : found;
}

}  // namespace

tcp_pcb* listen_on(netif& card, uint16_t port)
{
    tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == nullptr)
        return nullptr;
    // lwIP refuses a second listener on a port even if each is for another card, so it listens on any
    // free port first. What comes in is matched by card and by the port that the listener has then.
    tcp_bind_netif(pcb, &card);
    tcp_pcb* listener = tcp_bind(pcb, IP_ANY_TYPE, 0) == ERR_OK ? tcp_listen_with_backlog(pcb, 4) : nullptr;
    if (listener == nullptr) {
        tcp_abort(pcb);
        return nullptr;
    }
    listener->local_port = port;
    return listener;
}

bool HttpServer::listen(netif& card, uint16_t port)
{
    tcp_pcb* listener = listen_on(card, port);
    if (listener == nullptr)
        return false;
    tcp_arg(listener, this);
    tcp_accept(listener, on_accept);
    return true;
}

size_t HttpServer::open_connections() const
{
    return static_cast<size_t>(std::ranges::count_if(connections_, [](const auto& one) { return one.pcb != nullptr; }));
}

HttpServer::Connection* HttpServer::find_place()
{
    Connection* victim = nullptr;
    unsigned longest = 0;
    for (Connection& connection : connections_) {
        if (connection.pcb == nullptr)
            return &connection;
        const bool reads = connection.phase == Phase::request;
        // Those that have not even asked go first.
        const unsigned waited = reads ? 256u + connection.seconds : connection.stalled_seconds;
        if (waited >= 2 && waited > longest) {
            longest = waited;
            victim = &connection;
        }
    }
    if (victim != nullptr) {
        ++counters_.timed_out;
        reset(*victim->pcb);
        victim->pcb = nullptr;
    }
    return victim;
}

err_t HttpServer::on_accept(void* server, tcp_pcb* pcb, err_t error)
{
    if (error != ERR_OK || pcb == nullptr)
        return ERR_VAL;
    auto& self = *static_cast<HttpServer*>(server);
    Connection* connection = self.find_place();
    if (connection == nullptr) {
        ++self.counters_.refused;
        reset(*pcb);
        return ERR_ABRT;
    }
    *connection = Connection{};
    connection->server = &self;
    connection->pcb = pcb;
    tcp_arg(pcb, connection);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_second, 2);    // of half seconds
    return ERR_OK;
}

err_t HttpServer::on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t)
{
    auto& connection = *static_cast<Connection*>(argument);
    HttpServer& self = *connection.server;
    if (data == nullptr)    // the client sends no more; what it asked for is still sent
        return connection.phase == Phase::answer ? err_t{ERR_OK} : self.end(connection);
    tcp_recved(pcb, data->tot_len);
    const err_t result = self.feed(connection, *data);
    pbuf_free(data);
    return result;
}

err_t HttpServer::feed(Connection& connection, const pbuf& data)
{
    for (const pbuf* part = &data; part != nullptr; part = part->next) {
        const std::string_view text(static_cast<const char*>(part->payload), part->len);
        for (size_t i = 0; i < text.size(); ++i) {
            if (connection.phase != Phase::request) {
                connection.ignored = static_cast<uint16_t>(std::min<size_t>(connection.ignored + text.size() - i, UINT16_MAX));
                if (connection.ignored > most_ignored_bytes)
                    return give_up(connection);
                break;
            }
            if (!connection.request.feed(text[i]))
                begin_answer(connection, connection.request.status());
        }
    }
    return ERR_OK;
}

void HttpServer::begin_answer(Connection& connection, unsigned status)
{
    if (status == 200) {
        const Document* document = find_document(connection.request.path());
        if (document == nullptr)
            status = 404;
        else
            connection.render = document->render;
    }
    ++counters_.answered[status / 100];
    connection.status = status;
    connection.phase = Phase::answer;
    connection.seconds = 0;
    go_on(connection);
}

bool HttpServer::send_head(Connection& connection)
{
    std::array<char, 768> room;
    Text head(room);
    head << "HTTP/1.1 " << connection.status << ' ' << reason(connection.status)
         << "\r\nConnection: close\r\nServer: Bulkhead\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Referrer-Policy: no-referrer\r\n"
            "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "
            "base-uri 'none'; form-action 'none'\r\n";
    if (connection.status == 405)
        head << "Allow: GET, HEAD\r\n";
    const bool found = connection.status == 200;
    if (found) {
        head << "Content-Type: " << find_document(connection.request.path())->type << "\r\n";
        if (connection.request.is_1_1()) {
            head << "Transfer-Encoding: chunked\r\n";
            connection.framing = Framing::chunks;
        }
        head << "\r\n";
        if (connection.request.head_only())
            connection.render = nullptr;
    } else {
        const std::string_view text = reason(connection.status);
        head << "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " << text.size() + 5 << "\r\n\r\n";
        if (!connection.request.head_only())
            head << connection.status << ' ' << text << '\n';
    }
    return send_text(*connection.pcb, head.view());
}

// True: all has been written.
bool HttpServer::send_some(Connection& connection)
{
    if (!connection.head_sent)
        connection.head_sent = send_head(connection);
    if (!connection.head_sent || connection.render == nullptr)
        return connection.head_sent;
    const Sending sending =
        send_items(*connection.pcb, sources_, connection.render, connection.cursor, connection.framing);
    connection.goes_on = sending == Sending::goes_on;
    if (connection.goes_on)
        turns_.start();
    if (sending == Sending::ended)
        connection.render = nullptr;
    return connection.render == nullptr;
}

void HttpServer::go_on(Connection& connection)
{
    if (connection.phase != Phase::answer)
        return;
    // Without memory for the last segment the next call tries again.
    if (send_some(connection) && tcp_shutdown(connection.pcb, 0, 1) == ERR_OK) {
        connection.phase = Phase::closing;
        connection.seconds = 0;
    }
    tcp_output(connection.pcb);
}

void HttpServer::on_turn(void* server)
{
    for (Connection& connection : static_cast<HttpServer*>(server)->connections_)
        if (connection.pcb != nullptr && connection.goes_on)
            connection.server->go_on(connection);
}

err_t HttpServer::on_sent(void* argument, tcp_pcb*, uint16_t)
{
    auto& connection = *static_cast<Connection*>(argument);
    connection.stalled_seconds = 0;
    connection.server->go_on(connection);
    return ERR_OK;
}

bool HttpServer::is_over(const Connection& connection)
{
    switch (connection.phase) {
    case Phase::request: return connection.seconds > request_s;
    case Phase::answer: return connection.seconds > answer_s || connection.stalled_seconds > stalled_s;
    default:    // what has been written may still be on its way
        return connection.seconds > answer_s || (connection.seconds > closing_s && connection.stalled_seconds > closing_s);
    }
}

err_t HttpServer::on_second(void* argument, tcp_pcb*)
{
    auto& connection = *static_cast<Connection*>(argument);
    HttpServer& self = *connection.server;
    ++connection.seconds;
    ++connection.stalled_seconds;
    if (is_over(connection)) {
        ++self.counters_.timed_out;
        return self.give_up(connection);
    }
    self.go_on(connection);
    return ERR_OK;
}

void HttpServer::on_error(void* argument, err_t)
{
    static_cast<Connection*>(argument)->pcb = nullptr;     // lwIP has freed it
}

err_t HttpServer::end(Connection& connection)
{
    tcp_pcb& pcb = *connection.pcb;
    connection.pcb = nullptr;
    return release(pcb) ? ERR_OK : ERR_ABRT;
}

err_t HttpServer::give_up(Connection& connection)
{
    tcp_pcb& pcb = *connection.pcb;
    connection.pcb = nullptr;
    reset(pcb);
    return ERR_ABRT;
}

}  // namespace bulkhead::net
