// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: clients of the switch's HTTP server and diagnosis port that send anything, in pieces,
// read or do not, stop in the middle, and go. The servers answer a client that behaves afterwards, and
// nothing of the others is left but what their time limits allow.
//
// Input: operations of one byte and their data; see act().
#include "tests/unit/switch/host_box.hpp"

namespace {

using namespace bulkhead::net;

void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

struct Client {
    tcp_pcb* pcb = nullptr;
    std::string got;
    bool reads = true;

    static void on_error(void* self, err_t) { static_cast<Client*>(self)->pcb = nullptr; }
    static err_t on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t)
    {
        auto& self = *static_cast<Client*>(argument);
        if (data == nullptr) {
            // lwIP frees what waits for late segments when it likes.
            if (pcb->state == TIME_WAIT) {
                tcp_arg(pcb, nullptr);
                tcp_recv(pcb, nullptr);
                tcp_err(pcb, nullptr);
                self.pcb = nullptr;
            }
            return ERR_OK;
        }
        for (const pbuf* part = data; part != nullptr; part = part->next)
            self.got.append(static_cast<const char*>(part->payload), part->len);
        if (self.reads)
            tcp_recved(pcb, data->tot_len);
        pbuf_free(data);
        return ERR_OK;
    }
    void connect(uint16_t port)
    {
        leave();
        got.clear();
        pcb = tcp_new();
        if (pcb == nullptr)
            return;
        tcp_bind_netif(pcb, &HostBox::get().client.interface);
        tcp_arg(pcb, this);
        tcp_err(pcb, on_error);
        tcp_recv(pcb, on_received);
        ip_addr_t to;
        IP_ADDR4(&to, 10, 0, 2, 15);
        if (tcp_connect(pcb, &to, port, nullptr) != ERR_OK)
            leave();
        HostBox::get().run(30);
    }
    void send(std::string_view text)
    {
        if (pcb == nullptr || text.empty())
            return;
        (void)tcp_write(pcb, text.data(), static_cast<u16_t>(text.size()), TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
        HostBox::get().run(20);
    }
    void leave()
    {
        if (pcb == nullptr)
            return;
        tcp_arg(pcb, nullptr);
        tcp_err(pcb, nullptr);
        tcp_abort(pcb);
        pcb = nullptr;
        HostBox::get().run(20);
    }
};

std::array<Client, 4> clients;

struct Input {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    std::string text(size_t length)
    {
        length = std::min(length, size);
        std::string text(reinterpret_cast<const char*>(data), length);
        data += length;
        size -= length;
        return text;
    }
};

void act(Input& input)
{
    static constexpr std::string_view pieces[] = {"GET / HTTP/1.1\r\n", "HEAD /metrics HTTP/1.0\r\n", "Host: x\r\n", "\r\n",
                                                  "Content-Length: ",  "parts\n", "part gateway\r\n", "log\nvifs\nfdb\nhelp\n",
                                                  "cpus\n", "version\n", "quit\n", "part "};
    const uint8_t operation = input.byte();
    Client& client = clients[operation >> 6];
    switch (operation & 15) {
    case 0: client.connect(80); break;
    case 1: client.connect(7777); break;
    case 2:
    case 3: client.send(input.text(input.byte())); break;
    case 4:
    case 5:
    case 6: client.send(pieces[input.byte() % std::size(pieces)]); break;
    case 7:
        for (unsigned left = input.byte() % 32; left != 0; --left)
            client.send(input.text(1));
        break;
    case 8: client.reads = !client.reads; break;
    case 9:
        if (client.pcb != nullptr)
            tcp_shutdown(client.pcb, 0, 1);
        break;
    case 10: client.leave(); break;
    case 11: HostBox::get().run(10u * input.byte()); break;
    case 12: HostBox::get().run(1000u * (input.byte() % 32)); break;
    case 13: client.send(std::string(size_t{input.byte()} * 5, static_cast<char>(input.byte()))); break;
    default: HostBox::get().run(100);
    }
}

void require_service()
{
    for (Client& client : clients) {
        client.reads = true;
        client.leave();
    }
    HostBox::get().run(20'000);
    Client client;
    client.connect(80);
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    HostBox::get().run(1000);
    require(client.got.starts_with("HTTP/1.1 200 OK\r\n") && client.got.ends_with("\r\n0\r\n\r\n"));
    client.connect(7777);
    client.send("version\n");
    HostBox::get().run(100);
    require(client.got.ends_with("\n> ") && client.got.contains("up for"));
    client.leave();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    HostBox::get();
    for (Input input{data, size}; input.size != 0;)
        act(input);
    require_service();
    bulkhead::printed.clear();
    return 0;
}
