// SPDX-License-Identifier: BSD-2-Clause
// The diagnosis port: lines over TCP, with those of the monitor's commands that only read. Its parser is
// its own: a table of words, an optional name, nothing else; the network never reaches the core's monitor.
// Off unless the plan turns it on, and then only for the addresses that the plan names.
//
// Bounds: two connections, 96 bytes a line, 512 bytes of lines ahead, 5 minutes without a line.
#pragma once

#include "pvdrivers/switch/host/stream.hpp"

#include <lwip/err.h>
#include <lwip/ip_addr.h>

#include <array>
#include <span>

struct netif;
struct pbuf;

namespace bulkhead::net {

// What a line asks for: how to answer, and where to begin. Null: only `text` is answered.
struct Answer {
    Render render = nullptr;
    Cursor cursor{};
    std::string_view text{};
    bool ends = false;          // the connection
};
[[nodiscard]] Answer understand(const Sources& sources, std::string_view line);

struct AddressRange {
    ip_addr_t address;
    uint8_t prefix = 0;
    [[nodiscard]] bool contains(const ip_addr_t& other) const;
};
// "10.0.2.0/24", "10.0.2.7", "fd00::/8". False: it is none.
[[nodiscard]] bool parse_range(std::string_view text, AddressRange& range);

class DiagnosisServer {
public:
    static constexpr size_t most_connections = 2;
    static constexpr size_t line_bytes = 96;
    static constexpr size_t ahead_bytes = 512;
    static constexpr unsigned idle_s = 300;
    static constexpr unsigned stalled_s = 15;
    static constexpr size_t most_ranges = 16;

    // One network's port.
    struct Access {
        DiagnosisServer* server = nullptr;
        std::array<AddressRange, most_ranges> from{};
        size_t ranges = 0;
    };

    DiagnosisServer(const Sources& sources, HostCounters& counters)
        : sources_(sources), counters_(counters), turns_(on_turn, this)
    {
    }

    // False: lwIP has no memory for it. `access` must live for ever.
    [[nodiscard]] bool listen(netif& card, uint16_t port, Access& access);
    [[nodiscard]] size_t open_connections() const;

private:
    struct Connection {
        DiagnosisServer* server = nullptr;
        tcp_pcb* pcb = nullptr;     // null: a free place
        Render render = nullptr;    // of the answer that is being sent
        Cursor cursor;
        bool prompt = false;        // to be sent
        bool goes_on = false;       // at the next turn
        bool closing = false;       // after what is being sent
        uint16_t seconds = 0;       // without a line, or without progress
        uint16_t length = 0;
        std::array<char, ahead_bytes> ahead{};
    };

    static err_t on_accept(void* access, tcp_pcb* pcb, err_t error);
    static err_t on_received(void* connection, tcp_pcb* pcb, pbuf* data, err_t error);
    static err_t on_sent(void* connection, tcp_pcb* pcb, uint16_t length);
    static err_t on_second(void* connection, tcp_pcb* pcb);
    static void on_error(void* connection, err_t error);
    static void on_turn(void* server);

    err_t go_on(Connection& connection);
    bool answer_next_line(Connection& connection);
    err_t end(Connection& connection);
    err_t give_up(Connection& connection);

    const Sources& sources_;
    HostCounters& counters_;
    Turns turns_;
    std::array<Connection, most_connections> connections_{};
};

}  // namespace bulkhead::net
