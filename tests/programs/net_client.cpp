// SPDX-License-Identifier: BSD-2-Clause
// A program with a card: prints the datagrams that come to port 5005, asks `peer` for its page again and again,
// sums what comes to port 9000, and sends 100 MiB to who asks at port 9001. Config: network, peer.
#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/net.hpp>
#include <bulkhead/traps.hpp>

#include <array>
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

// CRC-32 as zlib and busybox have it.
class Sum {
public:
    void add(const void* data, size_t bytes)
    {
        const auto* at = static_cast<const uint8_t*>(data);
        for (size_t i = 0; i < bytes; ++i)
            crc_ = crc_ >> 8 ^ table[(crc_ ^ at[i]) & 255];
        bytes_ += bytes;
    }
    void print_as(const char* what) const { print("%s: %08x %lu\n", what, ~crc_, bytes_); }

private:
    static constexpr std::array<uint32_t, 256> table = [] {
        std::array<uint32_t, 256> made{};
        for (uint32_t i = 0; i < 256; ++i) {
            made[i] = i;
            for (int bit = 0; bit < 8; ++bit)
                made[i] = made[i] >> 1 ^ ((made[i] & 1) != 0 ? 0xedb88320u : 0);
        }
        return made;
    }();
    uint32_t crc_ = ~0u;
    uint64_t bytes_ = 0;
};

// Port 9000: what comes is summed.
err_t take(void* context, tcp_pcb* pcb, pbuf* data, err_t)
{
    auto* sum = static_cast<Sum*>(context);
    if (data == nullptr) {
        sum->print_as("received");
        delete sum;
        tcp_arg(pcb, nullptr);
        tcp_recv(pcb, nullptr);
        tcp_close(pcb);
        return ERR_OK;
    }
    for (const pbuf* piece = data; piece != nullptr; piece = piece->next)
        sum->add(piece->payload, piece->len);
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

// Port 9001: 100 MiB of noise.
struct Noise {
    Sum sum;
    uint32_t state = 1;
    size_t left = 100u << 20;
};

err_t give(void* context, tcp_pcb* pcb, u16_t)
{
    auto* noise = static_cast<Noise*>(context);
    uint32_t block[256];
    while (noise != nullptr && noise->left != 0 && tcp_sndbuf(pcb) >= sizeof(block)) {
        Noise next = *noise;
        for (uint32_t& word : block)
            word = next.state = next.state * 1664525 + 1013904223;
        if (tcp_write(pcb, block, sizeof(block), TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        next.sum.add(block, sizeof(block));
        next.left -= sizeof(block);
        *noise = next;
    }
    tcp_output(pcb);
    if (noise != nullptr && noise->left == 0) {
        noise->sum.print_as("sent");
        delete noise;
        tcp_arg(pcb, nullptr);
        tcp_close(pcb);
    }
    return ERR_OK;
}

void serve_files()
{
    tcp_pcb* sink = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(sink, IP_ANY_TYPE, 9000);
    tcp_accept(tcp_listen(sink), [](void*, tcp_pcb* from, err_t) -> err_t {
        tcp_arg(from, new Sum);
        tcp_recv(from, take);
        return ERR_OK;
    });
    tcp_pcb* source = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(source, IP_ANY_TYPE, 9001);
    tcp_accept(tcp_listen(source), [](void*, tcp_pcb* to, err_t) -> err_t {
        tcp_arg(to, new Noise);
        // Who asks may have said all before it has all.
        tcp_recv(to, [](void*, tcp_pcb* pcb, pbuf* data, err_t) -> err_t {
            if (data != nullptr) {
                tcp_recved(pcb, data->tot_len);
                pbuf_free(data);
            }
            return ERR_OK;
        });
        tcp_sent(to, give);
        tcp_poll(to, [](void* context, tcp_pcb* pcb) { return give(context, pcb, 0); }, 2);
        return give(to->callback_arg, to, 0);
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
    serve_files();
    ip_addr_t peer{};
    const bool asks = config().has("peer") && ipaddr_aton(config().text("peer")->data(), &peer) != 0;
    for (unsigned pages = 0;;) {
        if (asks && ask(peer))
            print_line(("page " + std::to_string(++pages)).c_str(), std::string_view(page).substr(page.find("\r\n\r\n{") + 4));
        wait_until(Clock::now() + std::chrono::seconds(1));
    }
}
