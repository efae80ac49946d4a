// SPDX-License-Identifier: BSD-2-Clause
// Pages by HTTP: lwIP as it is configured, with a client beside it on the loop of one card.
#include "pvdrivers/net/pages.cpp"

#include "tests/unit/fakes/lwip_port.hpp"

#include <CppUTest/TestHarness.h>

#include <deque>
#include <string>
#include <vector>

namespace {

using namespace bulkhead;
using namespace std::string_literals;

netif loop;
std::deque<std::string> on_the_wire;

err_t loop_output(netif*, pbuf* packet, const ip4_addr_t*)
{
    std::string bytes(packet->tot_len, '\0');
    pbuf_copy_partial(packet, bytes.data(), packet->tot_len, 0);
    on_the_wire.push_back(bytes);
    return ERR_OK;
}

void deliver()
{
    while (!on_the_wire.empty()) {
        const std::string bytes = on_the_wire.front();
        on_the_wire.pop_front();
        pbuf* packet = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_POOL);
        pbuf_take(packet, bytes.data(), static_cast<u16_t>(bytes.size()));
        if (loop.input(packet, &loop) != ERR_OK)
            pbuf_free(packet);
    }
}

void pass(u32_t milliseconds)
{
    for (; milliseconds != 0; milliseconds -= std::min(milliseconds, 50u)) {
        lwip_host::pass(50);
        deliver();
    }
}

std::string big;
std::string asked;

net::Page make(void*, std::string_view path)
{
    asked = path;
    if (path == "/")
        return {"text/html", "<p>hello"};
    if (path == "/big")
        return {"text/plain", big};
    return {};
}

void start_once()
{
    static const bool started = [] {
        lwip_host::start_once();
        ip4_addr_t address, mask;
        IP4_ADDR(&address, 10, 9, 0, 1);
        IP4_ADDR(&mask, 255, 255, 255, 0);
        netif_add(&loop, &address, &mask, nullptr, nullptr, [](netif* card) -> err_t {
            card->mtu = 1500;
            card->output = loop_output;
            card->flags = NETIF_FLAG_LINK_UP;
            return ERR_OK;
        }, ip_input);
        netif_set_up(&loop);
        CHECK(net::serve_pages(8080, make, nullptr).has_value());
        return true;
    }();
    (void)started;
}

struct Client {
    tcp_pcb* pcb = tcp_new();
    std::string got;
    bool over = false;
    bool reads = true;
    ~Client()
    {
        if (pcb != nullptr) {
            tcp_arg(pcb, nullptr);
            tcp_abort(pcb);
        }
    }
    void connect()
    {
        ip_addr_t to;
        IP_ADDR4(&to, 10, 9, 0, 1);
        tcp_arg(pcb, this);
        tcp_recv(pcb, [](void* self, tcp_pcb* from, pbuf* data, err_t) -> err_t {
            auto& client = *static_cast<Client*>(self);
            if (data == nullptr) {
                client.over = true;
                return ERR_OK;
            }
            if (!client.reads)
                return ERR_MEM;
            const size_t before = client.got.size();
            client.got.resize(before + data->tot_len);
            pbuf_copy_partial(data, client.got.data() + before, data->tot_len, 0);
            tcp_recved(from, data->tot_len);
            pbuf_free(data);
            return ERR_OK;
        });
        tcp_err(pcb, [](void* self, err_t) {
            if (self != nullptr) {
                static_cast<Client*>(self)->pcb = nullptr;
                static_cast<Client*>(self)->over = true;
            }
        });
        LONGS_EQUAL(ERR_OK, tcp_connect(pcb, &to, 8080, [](void*, tcp_pcb*, err_t) -> err_t { return ERR_OK; }));
        pass(100);
    }
    void say(const std::string& text)
    {
        if (pcb == nullptr)
            return;
        LONGS_EQUAL(ERR_OK, tcp_write(pcb, text.data(), static_cast<u16_t>(text.size()), TCP_WRITE_FLAG_COPY));
        tcp_output(pcb);
        pass(300);
    }
};

size_t open_connections()
{
    return static_cast<size_t>(std::ranges::count_if(net::connections, [](const auto& one) { return one.pcb != nullptr; }));
}

}  // namespace

TEST_GROUP(Pages)
{
    void setup() override
    {
        start_once();
        big.assign(net::most_page_bytes, 'b');
    }
    void teardown() override
    {
        // What was aborted is told to the other side.
        pass(200);
        LONGS_EQUAL(0, open_connections());
    }
};

TEST(Pages, are_given_and_the_connection_ends)
{
    Client client;
    client.connect();
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.over);
    STRCMP_EQUAL("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\nCache-Control: no-store\r\n"
                 "Connection: close\r\n\r\n<p>hello", client.got.c_str());
}

TEST(Pages, come_when_the_request_comes_in_pieces)
{
    Client client;
    client.connect();
    for (const char c : "GET / HTTP/1.0\r\n\r"s)
        client.say({c});
    CHECK(client.got.empty());
    client.say("\n");
    STRCMP_CONTAINS("<p>hello", client.got.c_str());
}

TEST(Pages, may_be_longer_than_a_window)
{
    Client client;
    client.connect();
    client.say("GET /big HTTP/1.1\r\n\r\n");
    pass(2000);
    CHECK(client.got.ends_with("\r\n\r\n" + big));
    CHECK(client.over);
}

TEST(Pages, that_there_are_not_say_so)
{
    Client client;
    client.connect();
    client.say("GET /none HTTP/1.1\r\n\r\n");
    STRCMP_CONTAINS("404 Not Found", client.got.c_str());
}

TEST(Pages, take_nothing_but_get)
{
    Client client;
    client.connect();
    asked.clear();
    client.say("POST / HTTP/1.1\r\n\r\n");
    STRCMP_CONTAINS("501 Not Implemented", client.got.c_str());
    STRCMP_EQUAL("", asked.c_str());
}

TEST(Pages, answer_a_request_without_an_end_when_it_is_too_long)
{
    Client client;
    client.connect();
    client.say(std::string(600, 'x'));
    client.say(std::string(600, 'x'));
    STRCMP_CONTAINS("501 Not Implemented", client.got.c_str());
    CHECK(client.over);
}

TEST(Pages, serve_four_at_a_time)
{
    Client clients[5];
    for (Client& client : clients)
        client.connect();
    LONGS_EQUAL(4, open_connections());
    CHECK(clients[4].over);
    for (Client& client : clients)
        client.say("GET / HTTP/1.1\r\n\r\n");
    for (int i = 0; i < 4; ++i)
        STRCMP_CONTAINS("<p>hello", clients[i].got.c_str());
}

TEST(Pages, drop_who_does_not_ask)
{
    Client client;
    client.connect();
    LONGS_EQUAL(1, open_connections());
    pass(15000);
    CHECK(client.over);
}

TEST(Pages, drop_who_does_not_read)
{
    Client client;
    client.reads = false;
    big.assign(net::most_page_bytes, 'b');
    client.connect();
    client.say("GET /big HTTP/1.1\r\n\r\n");
    pass(30000);
    LONGS_EQUAL(0, open_connections());
}
