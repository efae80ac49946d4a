// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/diagnosis.hpp"

#include "pvdrivers/switch/host/http.hpp"

#include <algorithm>
#include <charconv>

#include <lwip/tcp.h>

namespace bulkhead::net {

namespace {

constexpr std::string_view prompt = "> ";
constexpr std::string_view greeting = "Bulkhead diagnosis, read-only; help lists the commands\n";

std::span<const uint8_t> bytes_of(const ip_addr_t& address)
{
    if (IP_IS_V6_VAL(address))
        return {reinterpret_cast<const uint8_t*>(ip_2_ip6(&address)->addr), 16};
    return {reinterpret_cast<const uint8_t*>(&ip_2_ip4(&address)->addr), 4};
}

}  // namespace

bool AddressRange::contains(const ip_addr_t& other) const
{
    if (IP_GET_TYPE(&address) != IP_GET_TYPE(&other))
        return false;
    const auto mine = bytes_of(address);
    const auto its = bytes_of(other);
    for (size_t bit = 0; bit < prefix; bit += 8) {
        const size_t i = bit / 8;
        const auto mask = static_cast<uint8_t>(prefix - bit >= 8 ? 0xff : 0xff00 >> (prefix - bit));
        if (((mine[i] ^ its[i]) & mask) != 0)
            return false;
    }
    return true;
}

bool parse_range(std::string_view text, AddressRange& range)
{
    std::array<char, IPADDR_STRLEN_MAX> address{};
    const size_t slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    if (host.empty() || host.size() >= address.size())
        return false;
    std::ranges::copy(host, address.begin());
    if (ipaddr_aton(address.data(), &range.address) == 0)
        return false;
    const unsigned most = IP_IS_V6_VAL(range.address) ? 128 : 32;
    unsigned prefix = most;
    if (slash != text.npos) {
        const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix);
        if (error != std::errc{} || end != text.data() + text.size() || prefix > most)
            return false;
    }
    range.prefix = static_cast<uint8_t>(prefix);
    return true;
}

bool DiagnosisServer::listen(netif& card, uint16_t port, Access& access)
{
    tcp_pcb* listener = listen_on(card, port);
    if (listener == nullptr)
        return false;
    access.server = this;
    tcp_arg(listener, &access);
    tcp_accept(listener, on_accept);
    return true;
}

size_t DiagnosisServer::open_connections() const
{
    return static_cast<size_t>(std::ranges::count_if(connections_, [](const auto& one) { return one.pcb != nullptr; }));
}

err_t DiagnosisServer::on_accept(void* argument, tcp_pcb* pcb, err_t error)
{
    if (error != ERR_OK || pcb == nullptr)
        return ERR_VAL;
    const auto& access = *static_cast<Access*>(argument);
    DiagnosisServer& self = *access.server;
    const bool allowed = std::any_of(access.from.begin(), access.from.begin() + static_cast<ptrdiff_t>(access.ranges),
                                     [&](const AddressRange& range) { return range.contains(pcb->remote_ip); });
    const auto place = std::ranges::find(self.connections_, nullptr, &Connection::pcb);
    if (!allowed || place == self.connections_.end()) {
        ++self.counters_.refused;
        reset(*pcb);
        return ERR_ABRT;
    }
    *place = Connection{};
    place->server = &self;
    place->pcb = pcb;
    place->prompt = true;
    tcp_arg(pcb, &*place);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_second, 2);    // of half seconds
    (void)send_text(*pcb, greeting);
    return self.go_on(*place);
}

err_t DiagnosisServer::on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t)
{
    auto& connection = *static_cast<Connection*>(argument);
    DiagnosisServer& self = *connection.server;
    if (data == nullptr) {  // no more lines; those that wait are still answered
        connection.closing = true;
        return self.go_on(connection);
    }
    const size_t length = data->tot_len;
    tcp_recved(pcb, data->tot_len);
    const bool fits = length <= connection.ahead.size() - connection.length;
    if (fits) {
        pbuf_copy_partial(data, connection.ahead.data() + connection.length, data->tot_len, 0);
        connection.length = static_cast<uint16_t>(connection.length + length);
    }
    pbuf_free(data);
    return fits ? self.go_on(connection) : self.give_up(connection);
}

// False: there is no whole line.
bool DiagnosisServer::answer_next_line(Connection& connection)
{
    const std::string_view ahead(connection.ahead.data(), connection.length);
    const size_t end = ahead.find('\n');
    if (end == ahead.npos)
        return false;
    std::string_view line = ahead.substr(0, end);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    ++counters_.diagnosis_lines;
    const Answer answer = line.size() > line_bytes ? Answer{.text = "too long\n"} : understand(sources_, line);
    connection.seconds = 0;
    connection.render = answer.render;
    connection.cursor = answer.cursor;
    connection.prompt = true;
    connection.closing = connection.closing || answer.ends;
    // Room for such a text is there whenever a line is looked at.
    (void)(answer.text.empty() || send_text(*connection.pcb, answer.text));
    std::copy(ahead.begin() + end + 1, ahead.end(), connection.ahead.begin());
    connection.length = static_cast<uint16_t>(connection.length - end - 1);
    if (answer.ends)
        connection.length = 0;
    return true;
}

err_t DiagnosisServer::go_on(Connection& connection)
{
    tcp_pcb& pcb = *connection.pcb;
    for (;;) {
        if (connection.render != nullptr) {
            const Sending sending = send_items(pcb, sources_, connection.render, connection.cursor, Framing::plain);
            connection.goes_on = sending == Sending::goes_on;
            if (connection.goes_on)
                turns_.start();
            if (sending != Sending::ended)
                break;
            connection.render = nullptr;
        }
        if (tcp_sndbuf(&pcb) < 256)
            break;
        if (answer_next_line(connection))
            continue;
        if (connection.closing)
            return end(connection);
        if (connection.length == connection.ahead.size())
            return give_up(connection);     // a line without an end
        if (connection.prompt && send_text(pcb, prompt))
            connection.prompt = false;
        break;
    }
    tcp_output(&pcb);
    return ERR_OK;
}

void DiagnosisServer::on_turn(void* server)
{
    for (Connection& connection : static_cast<DiagnosisServer*>(server)->connections_)
        if (connection.pcb != nullptr && connection.goes_on)
            (void)connection.server->go_on(connection);
}

err_t DiagnosisServer::on_sent(void* argument, tcp_pcb*, uint16_t)
{
    auto& connection = *static_cast<Connection*>(argument);
    connection.seconds = 0;
    return connection.server->go_on(connection);
}

err_t DiagnosisServer::on_second(void* argument, tcp_pcb*)
{
    auto& connection = *static_cast<Connection*>(argument);
    DiagnosisServer& self = *connection.server;
    if (++connection.seconds > (connection.render != nullptr || connection.closing ? stalled_s : idle_s)) {
        ++self.counters_.timed_out;
        return self.give_up(connection);
    }
    return self.go_on(connection);
}

void DiagnosisServer::on_error(void* argument, err_t)
{
    static_cast<Connection*>(argument)->pcb = nullptr;     // lwIP has freed it
}

err_t DiagnosisServer::end(Connection& connection)
{
    tcp_pcb& pcb = *connection.pcb;
    connection.pcb = nullptr;
    return release(pcb) ? ERR_OK : ERR_ABRT;
}

err_t DiagnosisServer::give_up(Connection& connection)
{
    tcp_pcb& pcb = *connection.pcb;
    connection.pcb = nullptr;
    reset(pcb);
    return ERR_ABRT;
}

}  // namespace bulkhead::net
