// SPDX-License-Identifier: BSD-2-Clause
// A program with a card: prints the datagrams that come to port 5005, asks `peer` for its page again and again,
// and answers pings and, at port 9000, whatever is said to it by TCP with the same. Config: network, peer.
#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/net.hpp>
#include <bulkhead/traps.hpp>

#include <string>

#include <lwip/tcp.h>
#include <lwip/udp.h>

namespace {

using namespace bulkhead;

void print_line(const char* what, std::string_view text)
{
    print("%s: %.*s", what, static_cast<int>(std::min<size_t>(text.size(), 400)), text.data());
    print("\n");
}

void listen_for_datagrams()
{
    udp_pcb* in = udp_new_ip_type(IPADDR_TYPE_ANY);
    udp_bind(in, IP_ANY_TYPE, 5005);
    udp_recv(in, [](void*, udp_pcb*, pbuf* data, const ip_addr_t*, u16_t) {
        char text[512];
        const size_t bytes = pbuf_copy_partial(data, text, sizeof(text), 0);
        print_line("datagram", {text, bytes});
        pbuf_free(data);
    }, nullptr);
}

// A connection whose bytes go back. What has come and not yet gone waits, and so does the window.
struct Echo {
    pbuf* waiting = nullptr;
    bool over = false;
};

void send_back(Echo& echo, tcp_pcb* pcb)
{
    while (echo.waiting != nullptr && tcp_sndbuf(pcb) != 0) {
        const auto bytes = std::min<u16_t>(echo.waiting->len, tcp_sndbuf(pcb));
        if (tcp_write(pcb, echo.waiting->payload, bytes, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        tcp_recved(pcb, bytes);
        echo.waiting = pbuf_free_header(echo.waiting, bytes);
    }
    tcp_output(pcb);
    if (echo.waiting == nullptr && echo.over) {
        tcp_arg(pcb, nullptr);
        delete &echo;
        tcp_close(pcb);
    }
}

err_t received(void* context, tcp_pcb* pcb, pbuf* data, err_t)
{
    if (context == nullptr)
        return ERR_OK;
    auto& echo = *static_cast<Echo*>(context);
    if (data == nullptr)
        echo.over = true;
    else if (echo.waiting == nullptr)
        echo.waiting = data;
    else
        pbuf_cat(echo.waiting, data);
    send_back(echo, pcb);
    return ERR_OK;
}

void serve_echo()
{
    tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, IP_ANY_TYPE, 9000);
    tcp_accept(tcp_listen(pcb), [](void*, tcp_pcb* from, err_t) -> err_t {
        tcp_arg(from, new Echo);
        tcp_recv(from, received);
        tcp_sent(from, [](void* context, tcp_pcb* to, u16_t) -> err_t {
            if (context != nullptr)
                send_back(*static_cast<Echo*>(context), to);
            return ERR_OK;
        });
        tcp_err(from, [](void* context, err_t) {
            auto* echo = static_cast<Echo*>(context);
            if (echo != nullptr && echo->waiting != nullptr)
                pbuf_free(echo->waiting);
            delete echo;
        });
        return ERR_OK;
    });
}

std::string page;
bool over;

err_t read_page(void*, tcp_pcb* pcb, pbuf* data, err_t)
{
    if (data == nullptr) {
        tcp_close(pcb);
        over = true;
        return ERR_OK;
    }
    const size_t before = page.size();
    page.resize(before + data->tot_len);
    pbuf_copy_partial(data, page.data() + before, data->tot_len, 0);
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

// True: the page has come.
bool ask(const ip_addr_t& peer)
{
    page.clear();
    over = false;
    tcp_pcb* pcb = tcp_new_ip_type(IP_GET_TYPE(&peer));
    tcp_recv(pcb, read_page);
    tcp_err(pcb, [](void*, err_t) { over = true; });
    tcp_connect(pcb, &peer, 80, [](void*, tcp_pcb* to, err_t) -> err_t {
        constexpr std::string_view request = "GET /figures.json HTTP/1.1\r\nHost: plc\r\n\r\n";
        tcp_write(to, request.data(), static_cast<u16_t>(request.size()), 0);
        return tcp_output(to);
    });
    const Time end = Clock::now() + std::chrono::seconds(5);
    while (!over && Clock::now() < end)
        wait_until(end);
    if (!over)
        tcp_abort(pcb);
    return page.find("\r\n\r\n{") != std::string::npos;
}

}  // namespace

int main()
{
    if (const auto card = net::start_card(0, config().child("network")); !card)
        crash("no network: %s", name_of(card.error()));
    listen_for_datagrams();
    serve_echo();
    ip_addr_t peer{};
    const bool asks = config().has("peer") && ipaddr_aton(config().text("peer")->data(), &peer) != 0;
    for (unsigned pages = 0;;) {
        if (asks && ask(peer))
            print_line(("page " + std::to_string(++pages)).c_str(), std::string_view(page).substr(page.find("\r\n\r\n{") + 4));
        wait_until(Clock::now() + std::chrono::seconds(1));
    }
}
