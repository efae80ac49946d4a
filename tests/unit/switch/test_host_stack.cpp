// SPDX-License-Identifier: BSD-2-Clause
// The hosts of the switch on lwIP, by frames: addresses, names, HTTP and diagnosis.
#include "pvdrivers/switch/host/host.hpp"

#include "tests/unit/switch/host_box.hpp"

#include <CppUTest/TestHarness.h>

namespace {

using namespace bulkhead;
using namespace bulkhead::net;
using namespace std::literals;

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// A TCP client on lan0.
struct Client {
    tcp_pcb* pcb = tcp_new();
    std::string got;
    bool connected = false;
    bool closed = false;        // by the other side
    bool reset = false;
    bool reads = true;

    explicit Client(uint16_t port)
    {
        tcp_bind_netif(pcb, &HostBox::get().client.interface);
        tcp_arg(pcb, this);
        tcp_err(pcb, [](void* self, err_t) {
            static_cast<Client*>(self)->pcb = nullptr;
            static_cast<Client*>(self)->reset = true;
        });
        tcp_recv(pcb, [](void* self, tcp_pcb* from, pbuf* data, err_t) -> err_t {
            auto& client = *static_cast<Client*>(self);
            if (data == nullptr) {
                client.closed = true;
                return ERR_OK;
            }
            for (const pbuf* part = data; part != nullptr; part = part->next)
                client.got.append(static_cast<const char*>(part->payload), part->len);
            if (client.reads)
                tcp_recved(from, data->tot_len);
            pbuf_free(data);
            return ERR_OK;
        });
        ip_addr_t to;
        IP_ADDR4(&to, 10, 0, 2, 15);
        tcp_connect(pcb, &to, port, [](void* self, tcp_pcb*, err_t) -> err_t {
            static_cast<Client*>(self)->connected = true;
            return ERR_OK;
        });
        HostBox::get().run(50);
    }
    ~Client()
    {
        if (pcb != nullptr) {
            tcp_arg(pcb, nullptr);
            tcp_err(pcb, nullptr);
            tcp_abort(pcb);
        }
        HostBox::get().run(50);
    }
    void send(std::string_view text)
    {
        CHECK_EQUAL(ERR_OK, tcp_write(pcb, text.data(), static_cast<u16_t>(text.size()), TCP_WRITE_FLAG_COPY));
        tcp_output(pcb);
        HostBox::get().run(20);
    }
    void run_to_end()
    {
        for (int i = 0; i < 200 && !closed && !reset; ++i)
            HostBox::get().run(10);
    }
};

std::string ask(std::string_view request)
{
    Client client(80);
    client.send(request);
    client.run_to_end();
    CHECK(client.closed);
    return client.got;
}

// The body of an answer in chunks.
std::string unchunked(const std::string& answer)
{
    size_t at = answer.find("\r\n\r\n") + 4;
    std::string body;
    for (;;) {
        const size_t length = strtoul(answer.c_str() + at, nullptr, 16);
        at = answer.find("\r\n", at) + 2;
        body += answer.substr(at, length);
        at += length + 2;
        if (length == 0)
            return at == answer.size() ? body : "not whole";
        CHECK(at < answer.size());
    }
}

// How many connections the hosts have ended, as they say. The reset itself may get lost, as any frame.
unsigned long timed_out()
{
    const std::string body = unchunked(ask("GET /metrics HTTP/1.1\r\nHost: box\r\n\r\n"));
    constexpr std::string_view name = "\nbulkhead_host_timed_out_connections_total ";
    const size_t at = body.find(name);
    CHECK(at != body.npos);
    return strtoul(body.c_str() + at + name.size(), nullptr, 10);
}

TEST_GROUP(host)
{
    HostBox& box = HostBox::get();
    void setup() override
    {
        CHECK(box.started_lan);
        CHECK(box.started_plant);
        box.lan.sent.clear();
        box.plant.sent.clear();
        printed.clear();
    }
    void teardown() override
    {
        box.run(5000);      // connections end
    }

    frames::Bytes to_lan(unsigned type, const frames::Bytes& payload) { return frames::ethernet(lan_mac, other_mac, type, payload); }
    // What is sent is an answer of the host to this machine, which has no lwIP.
    static bool is_to_other(const frames::Bytes& frame) { return std::equal(other_mac.begin(), other_mac.end(), frame.begin()); }
};

// First in the file runs last or first; every test stands alone.

TEST(host, answers_arp_and_ping)
{
    frames::Bytes request;
    frames::put16(request, 1);
    frames::put16(request, 0x800);
    frames::put(request, {6, 4, 0, 1});
    frames::put_all(request, other_mac);
    frames::put32(request, 0x0a000263);
    frames::put(request, {0, 0, 0, 0, 0, 0});
    frames::put32(request, lan_address);
    box.lan.receive(frames::ethernet({255, 255, 255, 255, 255, 255}, other_mac, 0x806, request));
    const auto reply = box.lan.find(is_to_other);
    CHECK(reply.has_value());
    CHECK_EQUAL(2, (*reply)[21]);
    CHECK(std::equal(lan_mac.begin(), lan_mac.end(), reply->begin() + 22));

    box.lan.receive(to_lan(0x800, frames::ip4(1, 0x0a000263, lan_address, frames::icmp_echo("sixteen bytes ok"))));
    const auto echo = box.lan.find(is_to_other);
    CHECK_EQUAL(1, (*echo)[23]);
    CHECK_EQUAL(0, (*echo)[34]);
    CHECK(frames::contains(*echo, "sixteen bytes ok"));
}

TEST(host, makes_its_ipv6_address_and_answers_ping6)
{
    const frames::Ip6 router{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4};
    const frames::Ip6 all_nodes{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    frames::Bytes advertisement{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};    // router, its address follows
    frames::put_all(advertisement, other_mac);
    frames::put(advertisement, {3, 4, 64, 0xc0});                                           // prefix of 64, on the link, autonomous
    frames::put32(advertisement, 86400);
    frames::put32(advertisement, 14400);
    frames::put32(advertisement, 0);
    frames::put(advertisement, {0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    box.lan.receive(frames::ethernet({0x33, 0x33, 0, 0, 0, 1}, other_mac, 0x86dd, frames::icmp6(router, all_nodes, advertisement)));
    box.run(4000);
    CHECK(has(printed, "network lan0: the switch is fd00:2::ff:fe00:1, status page http://[fd00:2::ff:fe00:1]/\n"));

    const frames::Ip6 its{0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1};
    frames::Bytes echo{128, 0, 0, 0, 0x12, 0x34, 0, 1};
    frames::put_all(echo, "ping six"s);
    box.lan.sent.clear();
    box.lan.receive(to_lan(0x86dd, frames::icmp6(router, its, echo)));
    box.run(100);
    const auto reply = box.lan.find([](const frames::Bytes& frame) { return frame.size() > 54 && frame[54] == 129; });
    CHECK(reply.has_value());
    CHECK(frames::contains(*reply, "ping six"));
}

TEST(host, says_where_it_is)
{
    // Said in its first second, which the first test of the process has let pass.
    ip4_addr_t other, back;
    IP4_ADDR(&other, 10, 0, 2, 16);
    IP4_ADDR(&back, 10, 0, 2, 15);
    netif_set_ipaddr(&box.lan.interface, &other);
    box.run(1100);
    netif_set_ipaddr(&box.lan.interface, &back);
    box.run(1100);
    CHECK(has(printed, "network lan0: the switch is 10.0.2.15, status page http://10.0.2.15/\n"));
}

// Asks by mDNS and returns what the host answers.
std::optional<frames::Bytes> ask_name(HostBox& box, const std::string& name, unsigned type)
{
    frames::Bytes query{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    frames::put_all(query, name);
    frames::put(query, {0, 0, type, 0, 1});
    box.lan.sent.clear();
    box.lan.receive(frames::ethernet({1, 0, 0x5e, 0, 0, 0xfb}, other_mac, 0x800,
                                     frames::ip4(17, 0x0a000263, 0xe00000fb, frames::udp(5353, 5353, query))));
    box.run(300);
    return box.lan.find([](const frames::Bytes& frame) {
        return frame.size() > 44 && frame[12] == 8 && frame[23] == 17 && frame[34] == 0x14 && frame[35] == 0xe9 && frame[44] == 0x84;
    });
}

TEST(host, has_a_name_and_a_service_in_mdns)
{
    box.run(3000);
    const auto address = ask_name(box, "\4edge\5local", 1);
    CHECK(address.has_value());
    CHECK(frames::contains(*address, "\x0a\x00\x02\x0f"sv));
    const auto service = ask_name(box, "\5_http\4_tcp\5local", 12);
    CHECK(service.has_value());
    CHECK(frames::contains(*service, "\4edge"sv));
    CHECK_FALSE(ask_name(box, "\4core\5local", 1).has_value());
}

TEST(host, sends_the_status_page)
{
    const std::string answer = ask("GET / HTTP/1.1\r\nHost: 10.0.2.15\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(answer, "Content-Type: text/html; charset=utf-8\r\n"));
    CHECK(has(answer, "Content-Security-Policy: default-src 'none'"));
    const std::string body = unchunked(answer);
    CHECK(body.starts_with("<!DOCTYPE html>"));
    CHECK(body.ends_with("</html>\n"));
    CHECK(has(body, "edge demo"));
}

TEST(host, sends_the_metrics_whole_even_when_they_are_long)
{
    for (unsigned i = 0; i < 60; ++i) {
        box.figures.all_ports.push_back(box.figures.all_ports[0]);
        box.figures.counters.push_back(box.figures.counters[0]);
    }
    const std::string body = unchunked(ask("GET /metrics HTTP/1.1\r\nHost: box\r\n\r\n"));
    box.figures.all_ports.resize(3);
    box.figures.counters.resize(3);
    CHECK(body.starts_with("# HELP bulkhead_info "));
    CHECK(body.size() > 30000);
    CHECK(has(body, "bulkhead_diagnosis_lines_total "));
}

TEST(host, sends_http_1_0_without_chunks)
{
    const std::string answer = ask("GET /metrics HTTP/1.0\r\n\r\n");
    CHECK_FALSE(has(answer, "Transfer-Encoding"));
    CHECK(has(answer, "\r\n\r\n# HELP bulkhead_info "));
}

TEST(host, sends_the_head_only)
{
    const std::string answer = ask("HEAD / HTTP/1.1\r\nHost: box\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.ends_with("\r\n\r\n"));
}

TEST(host, answers_errors)
{
    const std::pair<std::string, std::string> cases[] = {
        {"GET /favicon.ico HTTP/1.1\r\nHost: box\r\n\r\n", "404 Not Found"},
        {"POST / HTTP/1.1\r\nHost: box\r\nContent-Length: 2\r\n\r\n{}", "405 Method Not Allowed"},
        {"hello\r\n", "400 Bad Request"},
        {"\x16\x03\x01\x02", "400 Bad Request"},
        {"GET / HTTP/1.1\r\nHost: box\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", "431 Request Header Fields Too Large"},
        {"GET /" + std::string(300, 'x') + " HTTP/1.1\r\n", "414 URI Too Long"},
        {"GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported"},
    };
    for (const auto& [request, expected] : cases) {
        const std::string answer = ask(request);
        CHECK_TEXT(answer.starts_with("HTTP/1.1 " + expected + "\r\n"), answer.c_str());
        CHECK(answer.ends_with(expected + "\n"));
        CHECK_EQUAL(expected.starts_with("405"), has(answer, "Allow: GET, HEAD\r\n"));
    }
}

TEST(host, reads_a_request_byte_by_byte)
{
    Client client(80);
    for (const char c : "GET /metrics HTTP/1.1\r\nHost: box\r\n\r\n"s)
        client.send({&c, 1});
    client.run_to_end();
    CHECK(client.closed);
    CHECK(client.got.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(host, answers_a_client_that_sends_no_more)
{
    Client client(80);
    client.send("GET /metrics HTTP/1.1\r\nHost: box\r\n");
    CHECK_EQUAL(ERR_OK, tcp_write(client.pcb, "\r\n", 2, TCP_WRITE_FLAG_COPY));
    tcp_shutdown(client.pcb, 0, 1);
    client.run_to_end();
    CHECK(has(unchunked(client.got), "bulkhead_info"));
}

TEST(host, does_not_wait_for_a_request_for_ever)
{
    Client client(80);
    for (int i = 0; i < 14 && !client.reset; ++i) {
        client.send("G");       // one byte a second
        box.run(1000);
        if (client.pcb == nullptr)
            break;
    }
    CHECK(client.reset);
}

TEST(host, does_not_wait_for_a_reader_for_ever)
{
    const auto entries = box.figures.entries;
    box.figures.entries.assign(2000, entries[0]);
    const auto before = timed_out();
    {
        Client client(80);
        client.reads = false;
        client.send("GET / HTTP/1.1\r\nHost: box\r\n\r\n");
        box.run(2000);
        CHECK_FALSE(client.closed);
        const size_t got = client.got.size();
        box.run(18000);
        CHECK_EQUAL(got, client.got.size());
        CHECK_EQUAL(before + 1, timed_out());
    }
    box.figures.entries = entries;
}

TEST(host, serves_a_new_client_while_slow_ones_hold_all_places)
{
    std::deque<Client> slow;
    for (size_t i = 0; i < HttpServer::most_connections; ++i) {
        slow.emplace_back(80);
        CHECK(slow.back().connected);
        slow.back().send("GET / HTT");
    }
    const std::string answer = ask("GET /metrics HTTP/1.1\r\nHost: box\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK_EQUAL(1, std::count_if(slow.begin(), slow.end(), [](const Client& client) { return client.reset; }));
}

TEST(host, ignores_some_bytes_behind_a_request_and_not_many)
{
    const std::string answer = ask("GET /metrics HTTP/1.1\r\nHost: box\r\n\r\nGET / HTTP/1.1\r\nHost: box\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK_FALSE(has(answer, "DOCTYPE"));
    Client client(80);
    client.send("GET /x HTTP/1.1\r\nHost: box\r\n\r\n");
    for (int i = 0; i < 20 && client.pcb != nullptr; ++i)
        client.send(std::string(1000, 'x'));
    CHECK(client.reset);
}

// lwIP's heap has 160 KiB: one that leaks a page of each answer is empty long before the end.
TEST(host, gives_its_memory_back)
{
    for (int i = 0; i < 300; ++i)
        CHECK(ask("GET / HTTP/1.1\r\nHost: box\r\n\r\n").ends_with("\r\n0\r\n\r\n"));
}

TEST(host, answers_commands_of_the_diagnosis_port)
{
    Client client(7777);
    box.run(100);
    CHECK(client.got.ends_with("help lists the commands\n> "));
    client.got.clear();
    client.send("par");
    client.send("ts\r\nversion\nnonsense\n");
    box.run(500);
    CHECK(has(client.got, "control           crashed"));
    CHECK(has(client.got, "Bulkhead v1.2"));
    CHECK(client.got.ends_with("no such command; help lists them\n> "));
    client.send("quit\n");
    client.run_to_end();
    CHECK(client.closed);
}

TEST(host, answers_lines_that_came_before_the_end)
{
    Client client(7777);
    client.send("version\nfdb\n");
    tcp_shutdown(client.pcb, 0, 1);
    client.run_to_end();
    CHECK(has(client.got, "up for"));
    CHECK(has(client.got, "lan0 uplink"));
}

TEST(host, refuses_diagnosis_from_other_addresses)
{
    ip4_addr_t other, back;
    IP4_ADDR(&other, 10, 0, 2, 77);
    IP4_ADDR(&back, 10, 0, 2, 2);
    netif_set_ipaddr(&box.client.interface, &other);
    {
        Client client(7777);
        box.run(200);
        CHECK(client.reset);
        CHECK(client.got.empty());
    }
    netif_set_ipaddr(&box.client.interface, &back);
}

TEST(host, ends_diagnosis_of_endless_and_too_long_lines)
{
    Client client(7777);
    client.send(std::string(100, 'x') + "\n");
    CHECK(client.got.ends_with("too long\n> "));
    client.send(std::string(511, 'x'));
    CHECK_FALSE(client.reset);
    client.send("x");
    box.run(500);           // what it sends waits for an acknowledgement
    CHECK(client.reset);
}

TEST(host, has_two_diagnosis_connections_until_they_idle)
{
    Client first(7777), second(7777), third(7777);
    CHECK(third.reset);
    CHECK(first.got.ends_with("> ") && second.got.ends_with("> "));
    const auto before = timed_out();
    box.run(310'000);
    CHECK_EQUAL(before + 2, timed_out());
}

TEST(host, listens_on_the_cards_that_the_plan_says_only)
{
    // plant has no diagnosis port: its SYN is answered by a reset.
    frames::Bytes syn;
    frames::put16(syn, 40000);
    frames::put16(syn, 7777);
    frames::put32(syn, 1);
    frames::put32(syn, 0);
    frames::put(syn, {0x50, 2, 0x10, 0, 0, 0, 0, 0});
    frames::Bytes pseudo;
    frames::put32(pseudo, 0x0a000202);
    frames::put32(pseudo, lan_address);
    frames::put(pseudo, {0, 6, 0, 20});
    frames::put_all(pseudo, syn);
    const uint16_t check = frames::sum(pseudo);
    syn[16] = static_cast<uint8_t>(check >> 8);
    syn[17] = static_cast<uint8_t>(check);
    box.lan.sent.clear();
    box.plant.receive(frames::ethernet(plant_mac, other_mac, 0x800, frames::ip4(6, 0x0a000202, lan_address, syn)));
    box.run(100);
    const auto is_syn_ack = [](const frames::Bytes& frame) { return frame.size() > 47 && frame[23] == 6 && frame[47] == 0x12; };
    CHECK_FALSE(box.plant.find(is_syn_ack).has_value());
    CHECK_FALSE(box.lan.find(is_syn_ack).has_value());
}

// --- DHCP -----------------------------------------------------------------------

constexpr uint32_t server_address = 0xc0a80101;
constexpr uint32_t leased_address = 0xc0a80132;

struct DhcpServer {
    HostBox& box = HostBox::get();
    uint32_t lease_s = 3600;
    bool refuses = false;
    unsigned discovers = 0;
    std::string name;

    // Answers what the host has sent on plant since.
    void serve()
    {
        while (!box.plant.sent.empty()) {
            const frames::Bytes frame = box.plant.sent.front();
            box.plant.sent.pop_front();
            if (frame.size() > 300 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17 && frame[37] == 67)
                answer(frame);
        }
    }
    void run(unsigned milliseconds)
    {
        for (unsigned passed = 0; passed < milliseconds; passed += 100) {
            box.run(100);
            serve();
        }
    }

private:
    void answer(const frames::Bytes& frame)
    {
        const uint8_t* dhcp = frame.data() + 42;
        uint8_t type = 0;
        for (size_t at = 42 + 240; at + 2 < frame.size() && frame[at] != 255; at += frame[at] == 0 ? 1u : 2u + frame[at + 1]) {
            if (frame[at] == 53)
                type = frame[at + 2];
            if (frame[at] == 12)
                name.assign(frame.begin() + static_cast<long>(at) + 2, frame.begin() + static_cast<long>(at) + 2 + frame[at + 1]);
        }
        discovers += type == 1;
        if (refuses && type != 3)
            return;
        frames::Bytes reply{2, 1, 6, 0};
        frames::put_all(reply, std::span(dhcp + 4, 4));     // its transaction
        frames::put32(reply, 0);
        frames::put32(reply, 0);
        frames::put32(reply, leased_address);
        frames::put32(reply, server_address);
        frames::put32(reply, 0);
        frames::put_all(reply, plant_mac);
        reply.resize(236);
        frames::put32(reply, 0x63825363);
        frames::put(reply, {53, 1, refuses ? 6u : type == 1 ? 2u : 5u, 54, 4});
        frames::put32(reply, server_address);
        frames::put(reply, {51, 4});
        frames::put32(reply, lease_s);
        frames::put(reply, {1, 4, 255, 255, 255, 0, 3, 4});
        frames::put32(reply, server_address);
        frames::put(reply, {255});
        reply.resize(300);
        box.plant.receive(frames::ethernet({255, 255, 255, 255, 255, 255}, other_mac, 0x800,
                                           frames::ip4(17, server_address, 0xffffffff, frames::udp(67, 68, reply))));
    }
};

TEST(host, asks_for_an_address_and_says_when_there_is_none)
{
    DhcpServer server;
    // From here on without a server: told once, whatever was before, and asked again and again.
    server.refuses = true;
    dhcp_release_and_stop(&box.plant.interface);
    dhcp_start(&box.plant.interface);
    printed.clear();
    server.run(200'000);
    CHECK(server.discovers >= 4);
    const size_t first = printed.find("network plant:");
    CHECK(first != printed.npos);
    CHECK(printed.find("network plant: no DHCP", first + 1) == printed.npos || first == printed.find("network plant: the DHCP"));

    server.refuses = false;
    printed.clear();
    server.run(70'000);
    CHECK_EQUAL(lwip_htonl(leased_address), netif_ip4_addr(&box.plant.interface)->addr);
    CHECK(has(printed, "network plant: the switch is 192.168.1.50, status page http://192.168.1.50:8080/\n"));
    STRCMP_EQUAL("edge", server.name.c_str());
}

TEST(host, says_that_a_lease_has_ended_and_takes_the_next)
{
    DhcpServer server;
    server.lease_s = 600;
    dhcp_release_and_stop(&box.plant.interface);
    dhcp_start(&box.plant.interface);
    server.run(20'000);
    CHECK_EQUAL(lwip_htonl(leased_address), netif_ip4_addr(&box.plant.interface)->addr);
    printed.clear();
    server.run(1'500'000);      // is renewed
    STRCMP_EQUAL("", printed.c_str());
    server.refuses = true;
    server.run(900'000);
    CHECK(has(printed, "network plant: the DHCP lease has ended; still asking for one\n"));
    CHECK_FALSE(has(printed, "no DHCP server"));
    server.refuses = false;
    server.run(70'000);
    CHECK(has(printed, "network plant: the switch is 192.168.1.50"));
}

}  // namespace
