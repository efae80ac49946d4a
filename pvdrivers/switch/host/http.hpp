// SPDX-License-Identifier: BSD-2-Clause
// The HTTP server of the switch's hosts: `/` and `/metrics`, nothing else, one request a connection.
//
// lwIP's own httpd was looked at and not taken. It answers whatever resembles a request, knows neither 405
// nor 431, wants a length before it sends (so a generated page must be held whole), and bounds how long
// a client may take by retries only.
//
// What clients can use up is bounded: `most_connections` of them with one Request each, 10 s for a
// request, 15 s without progress and 120 s in all for an answer. When all places are taken a new
// client gets that of the one that has taken longest over its request, or that has stalled.
#pragma once

#include "pvdrivers/switch/host/request.hpp"
#include "pvdrivers/switch/host/stream.hpp"

#include <lwip/err.h>

#include <array>

struct netif;
struct pbuf;

namespace bulkhead::net {

class HttpServer {
public:
    static constexpr size_t most_connections = 6;
    static constexpr unsigned request_s = 10;
    static constexpr unsigned stalled_s = 15;
    static constexpr unsigned answer_s = 120;
    static constexpr unsigned closing_s = 3;
    static constexpr size_t most_ignored_bytes = 16384;     // behind a request, before a reset

    HttpServer(const Sources& sources, HostCounters& counters)
        : sources_(sources), counters_(counters), turns_(on_turn, this)
    {
    }

    // Only connections that come in by that card. False: lwIP has no memory for it.
    [[nodiscard]] bool listen(netif& card, uint16_t port);
    [[nodiscard]] size_t open_connections() const;

private:
    enum class Phase : uint8_t { request, answer, closing };
    struct Connection {
        HttpServer* server = nullptr;
        tcp_pcb* pcb = nullptr;     // null: a free place
        Phase phase = Phase::request;
        bool head_sent = false;
        bool goes_on = false;       // at the next turn
        Framing framing = Framing::plain;
        uint8_t seconds = 0;        // in this phase
        uint8_t stalled_seconds = 0;
        uint16_t ignored = 0;
        unsigned status = 0;
        Render render = nullptr;
        Cursor cursor;
        Request request;
    };

    static err_t on_accept(void* server, tcp_pcb* pcb, err_t error);
    static err_t on_received(void* connection, tcp_pcb* pcb, pbuf* data, err_t error);
    static err_t on_sent(void* connection, tcp_pcb* pcb, uint16_t length);
    static err_t on_second(void* connection, tcp_pcb* pcb);
    static void on_error(void* connection, err_t error);
    static void on_turn(void* server);

    static bool is_over(const Connection& connection);
    Connection* find_place();
    err_t feed(Connection& connection, const pbuf& data);
    void begin_answer(Connection& connection, unsigned status);
    void go_on(Connection& connection);
    bool send_some(Connection& connection);
    bool send_head(Connection& connection);
    err_t end(Connection& connection);
    err_t give_up(Connection& connection);

    const Sources& sources_;
    HostCounters& counters_;
    Turns turns_;
    std::array<Connection, most_connections> connections_{};
};

// Listens on a card only, on a port that other cards may listen on too. Null: no memory.
[[nodiscard]] tcp_pcb* listen_on(netif& card, uint16_t port);

}  // namespace bulkhead::net
