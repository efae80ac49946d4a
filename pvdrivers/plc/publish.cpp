// SPDX-License-Identifier: BSD-2-Clause
// Config: network { address; gateway; ipv6; host-name; }, as <bulkhead/net.hpp> has it; http (port, 80; 0: off);
// publish { to = "10.0.2.2"; port; } for a datagram each second.
#include "pvdrivers/plc/publish.hpp"

#include "pvdrivers/plc/texts.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/net.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/vcpus.hpp>

#include <chrono>

#include <lwip/udp.h>

namespace plc {

constinit Shown<Figures> shown_figures;

namespace {

using namespace bulkhead;

Text<512> name;
Figures latest;
uint32_t version;           // of them
udp_pcb* out;
ip_addr_t to;
uint16_t to_port;

bool look_for_news()
{
    Figures figures;
    const uint32_t now = shown_figures.read(figures);
    if (now == 0 || now == version)
        return false;
    latest = figures;
    version = now;
    return true;
}

void send_datagram()
{
    static Text<1024> text;
    text.clear();
    write_json(text, name.view(), latest);
    pbuf* data = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(text.view().size()), PBUF_RAM);
    if (data == nullptr)
        return;
    pbuf_take(data, text.view().data(), data->tot_len);
    (void)udp_sendto(out, data, &to, to_port);       // without a link or an answer it is lost, as datagrams are
    pbuf_free(data);
}

net::Page make_page(void*, std::string_view path)
{
    static Text<8192> text;
    text.clear();
    (void)look_for_news();
    if (path == "/figures.json") {
        write_json(text, name.view(), latest);
        return {"application/json", text.view()};
    }
    if (path != "/")
        return {};
    write_page(text, name.view(), latest);
    return {"text/html; charset=utf-8", text.view()};
}

bool open_publisher(SliceNode publish)
{
    const auto text = publish.text("to");
    const uint64_t port = publish.number("port", 0);
    char copy[IPADDR_STRLEN_MAX]{};
    if (!text || text->size() >= sizeof(copy) || port == 0 || port > 0xffff)
        return false;
    text->copy(copy, text->size());
    out = udp_new_ip_type(IPADDR_TYPE_ANY);
    to_port = static_cast<uint16_t>(port);
    return ipaddr_aton(copy, &to) != 0 && out != nullptr;
}

// The second vCPU's life.
void publish(void*)
{
    const auto card = net::start_card(0, config().child("network"));
    if (!card)
        return print("no network: %s\n", name_of(card.error()));
    const uint64_t http = config().number("http", 80);
    if (http > 0xffff || (http != 0 && !net::serve_pages(static_cast<uint16_t>(http), make_page, nullptr)))
        print("network: no page at port %lu\n", http);
    if (const SliceNode node = config().child("publish"); node && !open_publisher(node))
        print("network: publish: it needs an address and a port\n");
    for (;;) {
        wait_until(Clock::now() + std::chrono::milliseconds(100));
        if (out != nullptr && look_for_news())
            send_datagram();
    }
}

}  // namespace

void start_publishing()
{
    if (!config().child("network"))
        return;
    name.add(partition_name());
    if (const auto done = start_vcpu(VcpuNumber{1}, publish, nullptr); !done)
        print("no network: it needs a second vCPU, so that it cannot delay the loop: %s\n", name_of(done.error()));
}

}  // namespace plc
