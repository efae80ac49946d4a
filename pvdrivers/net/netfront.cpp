// SPDX-License-Identifier: BSD-2-Clause
// The card in the store: it finds its back end, connects when that waits for it, lets go when that
// closes, and begins again. Rings and buffers are used anew only when the back end holds none of them.
// Source: xen/include/public/io/xenbus.h; netif.h, "Feature ..." and the nodes that it names.
#include "pvdrivers/net/netfront.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/memory.hpp>

#include <algorithm>
#include <charconv>
#include <new>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>

namespace bulkhead::net {

namespace {

using std::chrono::milliseconds;
constexpr unsigned usual_mtu = 1500;
constexpr unsigned least_mtu = 1280;            // what IPv6 needs
constexpr unsigned most_mtu = 9000;

// 02:00:00:00:00:01
bool parse_mac(std::string_view text, u8_t (&mac)[NETIF_MAX_HWADDR_LEN])
{
    if (text.size() != 17)
        return false;
    for (size_t i = 0; i < 6; ++i) {
        const char* at = text.data() + i * 3;
        const auto [end, error] = std::from_chars(at, at + 2, mac[i], 16);
        if (error != std::errc{} || end != at + 2 || (i != 5 && *end != ':'))
            return false;
    }
    return (mac[0] & 1) == 0;
}

}  // namespace

Netfront::Netfront(Store& store, unsigned handle)
    : store_(store), handle_(handle), path_("device/vif/" + std::to_string(handle)),
      again_([](void* self) { static_cast<Netfront*>(self)->go_on(); }, this)
{
}

Result<Netfront*> Netfront::open(Store& store, unsigned handle)
{
    auto* card = new (std::nothrow) Netfront(store, handle);
    if (card == nullptr)
        return failure(XEN_ENOMEM);
    if (const auto done = card->prepare(); !done) {
        delete card;
        return failure(done.error());
    }
    return card;
}

Netfront::~Netfront()
{
    if (watch_ != Watch{})
        (void)store_.unwatch(watch_);
    close_ports();
    again_.stop();
    // Pages that the back end holds are lost; so is what lwIP still reads.
    if (!revoke_all() || rx_free_.size != rx_buffers)
        return;
    if (interface_.state != nullptr)
        netif_remove(&interface_);
    if (!memory_.empty())
        free_pages(memory_);
}

// What stays for the card's life: its place in the store, its pages, its netif.
Result<> Netfront::prepare()
{
    const auto backend = store_.read(path_ + "/backend");
    const auto domain = store_.read_number(path_ + "/backend-id");
    const auto mac = store_.read(path_ + "/mac");
    if (!backend || !domain || !mac)
        return failure(!backend ? backend.error() : !domain ? domain.error() : mac.error());
    if (*domain >= DOMID_FIRST_RESERVED || !parse_mac(*mac, interface_.hwaddr))
        return failure(XEN_EINVAL);
    backend_ = Domain(static_cast<uint16_t>(*domain));
    backend_path_ = *backend;
    mtu_ = std::clamp<unsigned>(static_cast<unsigned>(store_.read_number(path_ + "/mtu").value_or(usual_mtu)),
                                least_mtu, most_mtu);

    const auto pages = allocate_pages(2 + tx_buffers + rx_buffers);
    if (!pages)
        return failure(pages.error());
    memory_ = *pages;
    std::byte* page = memory_.data();
    const auto next = [&page] { return std::exchange(page, page + page_bytes); };
    tx_page_.page = next();
    rx_page_.page = next();
    for (TxBuffer& buffer : tx_buffers_)
        buffer.page = next();
    for (unsigned i = 0; i < rx_buffers; ++i) {
        rx_buffers_[i].card = this;
        rx_buffers_[i].page = next();
        rx_buffers_[i].piece.custom_free_function = piece_freed;
        rx_free_.put(static_cast<uint16_t>(i));
    }
    if (netif_add_noaddr(&interface_, this, init_interface, netif_input) == nullptr)
        return failure(XEN_ENOMEM);
    netif_set_up(&interface_);

    const auto watch = store_.watch(backend_path_ + "/state",
                                    {[](void* self, std::string_view) { static_cast<Netfront*>(self)->backend_changed(); },
                                     this});
    if (!watch)
        return failure(watch.error());
    watch_ = *watch;
    return {};
}

err_t Netfront::init_interface(netif* interface)
{
    interface->name[0] = 'x';
    interface->name[1] = 'n';
    interface->hwaddr_len = ETH_HWADDR_LEN;
    interface->mtu = usual_mtu;
    interface->output = etharp_output;
    interface->output_ip6 = ethip6_output;
    interface->linkoutput = output;
    interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

void Netfront::log(const char* what, Errno error) const
{
    print("network card %u: %s: %s\n", handle_, what, name_of(error));
}

bool Netfront::backend_has(const char* feature)
{
    return store_.read_number(backend_path_ + "/" + feature).value_or(0) == 1;
}

void Netfront::set_state(XenbusState state)
{
    if (shown_ == state)
        return;
    if (const auto done = store_.write_number(path_ + "/state", state); !done)
        log("its state cannot be written", done.error());
    else
        shown_ = state;
}

// --- The back end's state -------------------------------------------------------------

void Netfront::backend_changed()
{
    const auto read = store_.read_number(backend_path_ + "/state");
    if (!read && read.error() == XEN_ETIMEDOUT)
        return again_.start(Clock::now() + milliseconds(1000));
    switch (read.value_or(XenbusStateUnknown)) {
    case XenbusStateInitialising:
    case XenbusStateInitWait:
        // Whoever waits again has forgotten the connection that there was.
        if (state_ == State::connected && netif_is_link_up(&interface_))
            disconnect();
        if (state_ == State::waiting && read == XenbusStateInitWait)
            connect();
        break;
    case XenbusStateConnected:
        if (state_ == State::connected)
            netif_set_link_up(&interface_);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
    case XenbusStateUnknown:
        if (state_ == State::connected)
            disconnect();
        // One that is closed waits for a front end that begins.
        if (state_ == State::waiting && read == XenbusStateClosed)
            set_state(XenbusStateInitialising);
        break;
    default:
        break;
    }
}

void Netfront::connect()
{
    const auto done = build();
    if (done) {
        ++counters_.connected;
        complaint_ = {};
        return;
    }
    if (complaint_ != done.error())
        log("it cannot be connected", done.error());
    complaint_ = done.error();
    close_ports();
    state_ = State::releasing;
    again_.start(Clock::now() + milliseconds(1000));
}

Result<> Netfront::build()
{
    if (!backend_has("feature-rx-copy"))
        return failure(XEN_EOPNOTSUPP);
    scatters_ = backend_has("feature-sg");
    offloads_tcp_ = !backend_has("feature-no-csum-offload") && backend_has("feature-ipv6-csum-offload");
    NETIF_SET_CHECKSUM_CTRL(&interface_, offloads_tcp_ ? NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_GEN_TCP
                                                       : NETIF_CHECKSUM_ENABLE_ALL);
    interface_.mtu = static_cast<u16_t>(scatters_ ? mtu_ : std::min(mtu_, usual_mtu));
    const bool split = backend_has("feature-split-event-channels");
    if (const auto done = share_memory(); !done)
        return done;
    if (const auto done = open_channels(split); !done)
        return done;
    state_ = State::connected;
    refill();
    if (const auto done = publish(split); !done)
        return done;
    shown_ = XenbusStateConnected;
    return {};
}

Result<> Netfront::share_memory()
{
    const auto share = [this](auto& shared, Access access) {
        const auto ref = grant(backend_, shared.page, access);
        shared.granted = ref.has_value();
        shared.grant = ref.value_or(GrantRef{});
        return shared.granted;
    };
    tx_.begin(tx_page_.page);
    rx_.begin(rx_page_.page);
    bool good = share(tx_page_, Access::writable) && share(rx_page_, Access::writable);
    tx_free_.size = 0;
    for (unsigned i = 0; i < tx_buffers; ++i) {
        good = good && share(tx_buffers_[i], Access::read_only);
        tx_buffers_[i].in_flight = false;
        tx_free_.put(static_cast<uint16_t>(i));
    }
    if (!good)
        return failure(XEN_ENOSPC);
    return {};
}

Result<> Netfront::open_channels(bool split)
{
    const EventHandler sent{[](void* self, Port) { static_cast<Netfront*>(self)->take_tx_responses(); }, this};
    const EventHandler received{[](void* self, Port) { static_cast<Netfront*>(self)->receive(); }, this};
    const EventHandler both{[](void* self, Port) {
                                static_cast<Netfront*>(self)->take_tx_responses();
                                static_cast<Netfront*>(self)->receive();
                            },
                            this};
    const auto tx_port = allocate_unbound(backend_, split ? sent : both);
    if (!tx_port)
        return failure(tx_port.error());
    tx_port_ = rx_port_ = *tx_port;
    if (!split)
        return {};
    const auto rx_port = allocate_unbound(backend_, received);
    if (!rx_port)
        return failure(rx_port.error());
    rx_port_ = *rx_port;
    return {};
}

// All of it at once, the state too.
Result<> Netfront::publish(bool split)
{
    return store_.transact([&](Transaction transaction) -> Result<> {
        Result<> done;
        const auto put = [&](const char* name, uint64_t value) {
            if (done)
                done = store_.write_number(path_ + "/" + name, value, transaction);
        };
        put("tx-ring-ref", static_cast<uint32_t>(tx_page_.grant));
        put("rx-ring-ref", static_cast<uint32_t>(rx_page_.grant));
        if (split) {
            put("event-channel-tx", static_cast<uint32_t>(tx_port_));
            put("event-channel-rx", static_cast<uint32_t>(rx_port_));
        } else {
            put("event-channel", static_cast<uint32_t>(tx_port_));
        }
        put("request-rx-copy", 1);
        for (const char* feature : {"feature-rx-notify", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
                                    "feature-ipv6-csum-offload"})
            put(feature, 1);
        put("state", XenbusStateConnected);
        return done;
    });
}

// --- The end of a connection ----------------------------------------------------------

// Called from within lwIP, perhaps: the rest follows when that is done.
void Netfront::leave_broken()
{
    ++counters_.broken;
    state_ = State::broken;
    again_.start(Clock::now());
}

void Netfront::disconnect()
{
    netif_set_link_down(&interface_);
    close_ports();
    state_ = State::releasing;
    set_state(XenbusStateClosed);
    release();
}

void Netfront::close_ports()
{
    if (tx_port_ != Port{})
        (void)unbind(tx_port_);
    if (rx_port_ != tx_port_)
        (void)unbind(rx_port_);
    tx_port_ = rx_port_ = Port{};
}

// Again and again until the back end holds nothing any more.
void Netfront::release()
{
    if (!revoke_all())
        return again_.start(Clock::now() + milliseconds(100));
    state_ = State::waiting;
    backend_changed();
}

bool Netfront::revoke_all()
{
    bool all = true;
    const auto take = [&all](auto& shared) {
        if (!shared.granted)
            return false;
        shared.granted = !revoke(shared.grant).has_value();
        all = all && !shared.granted;
        return !shared.granted;
    };
    take(tx_page_);
    take(rx_page_);
    for (TxBuffer& buffer : tx_buffers_)
        take(buffer);
    for (unsigned i = 0; i < rx_buffers; ++i)
        if (take(rx_buffers_[i]))
            rx_free_.put(static_cast<uint16_t>(i));
    return all;
}

void Netfront::go_on()
{
    switch (state_) {
    case State::connected: receive(); break;
    case State::broken:
        print("network card %u: the back end breaks the protocol; beginning again\n", handle_);
        disconnect();
        break;
    case State::releasing: release(); break;
    case State::waiting: backend_changed(); break;
    }
}

}  // namespace bulkhead::net
