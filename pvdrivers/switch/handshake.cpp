// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/handshake.hpp"

#include "pvdrivers/abi/bulkhead.h"

#include <bulkhead/console.hpp>

#include <cstdlib>
#include <new>
#include <utility>

namespace bulkhead::net {

namespace {

struct Feature {
    const char* name;
    const char* value;
};
constexpr Feature features[] = {
    {"feature-sg", "1"},
    {"feature-gso-tcpv4", "1"},
    {"feature-gso-tcpv6", "1"},
    {"feature-ipv6-csum-offload", "1"},
    {"feature-rx-copy", "1"},
    {"feature-rx-flip", "0"},
    {"feature-rx-notify", "1"},
    {"feature-multicast-control", "1"},
    {"feature-dynamic-multicast-control", "1"},
    {"feature-split-event-channels", "1"},
    {"multi-queue-max-queues", "4"},
    {"hotplug-status", "connected"},
};
static_assert(most_queues == 4);

void tx_event(void* context, bulkhead::Port)
{
    Queue& queue = *static_cast<Queue*>(context);
    queue.path->sender_has_frames(queue);
}

void rx_event(void* context, bulkhead::Port)
{
    Queue& queue = *static_cast<Queue*>(context);
    queue.path->receiver_has_room(queue.rx);
}

void any_event(void* context, bulkhead::Port port)
{
    tx_event(context, port);
    rx_event(context, port);
}

std::string folder(uint32_t domain, const std::string& below)
{
    return "/local/domain/" + std::to_string(domain) + below;
}

}  // namespace

Handshake::Handshake(Vif& vif, DataPath& path, Journal& journal, Store& store)
    : vif_(vif), path_(path), journal_(journal), store_(store)
{
    const auto domain = static_cast<uint32_t>(vif.plan.domain);
    const std::string handle = std::to_string(vif.plan.handle);
    front_ = folder(domain, "/device/vif/" + handle);
    own_ = folder(BULKHEAD_DOMAIN_SWITCH, "/backend/vif/" + std::to_string(domain) + "/" + handle);
}

Result<> Handshake::watch()
{
    for (const char* node : {"/state", "/request-multicast-control"}) {
        if (const auto done = store_.watch(front_ + node, {on_change, this}); !done)
            return failure(done.error());
    }
    return {};
}

// --- Nodes ----------------------------------------------------------------------

XenbusState Handshake::state_at(const std::string& path)
{
    const auto value = store_.read_number(path);
    return value && *value <= XenbusStateReconfigured ? static_cast<XenbusState>(*value) : XenbusStateUnknown;
}

bool Handshake::flag(const char* name, bool otherwise)
{
    const auto value = store_.read_number(front_ + "/" + name);
    return value ? *value != 0 : otherwise;
}

void Handshake::write(const char* name, std::string_view value)
{
    if (const auto done = store_.write(own_ + "/" + name, value); !done)
        print("%.*s: %s cannot be written to the store: %s\n", static_cast<int>(vif_.name.size()), vif_.name.data(),
              name, name_of(done.error()));
}

void Handshake::set_state(XenbusState state)
{
    state_ = state;
    write("state", std::to_string(static_cast<unsigned>(state)));
}

// --- Lives ----------------------------------------------------------------------

void Handshake::begin(uint32_t life)
{
    life_ = life;
    if (state_at(own_ + "/state") == XenbusStateConnected && front_state() == XenbusStateConnected) {
        state_ = XenbusStateConnected;
        if (connect(true))
            return;
    }
    reset();
    follow(front_state());
}

void Handshake::end()
{
    disconnect();
    life_ = 0;
    state_ = XenbusStateUnknown;
}

void Handshake::reset()
{
    disconnect();
    for (const Feature& feature : features)
        write(feature.name, feature.value);
    set_state(XenbusStateInitWait);
}

void Handshake::on_change(void* context, std::string_view path)
{
    auto& self = *static_cast<Handshake*>(context);
    if (self.life_ == 0)
        return;
    if (path.ends_with("/state"))
        self.follow(self.front_state());
    else if (self.vif_.is_connected())
        self.read_group_filter();
}

void Handshake::follow(XenbusState front)
{
    switch (front) {
    case XenbusStateInitialising:
        if (state_ != XenbusStateInitWait)
            reset();
        break;
    case XenbusStateConnected:
        if (state_ != XenbusStateInitWait)
            break;
        if (const auto done = connect(false); !done) {
            print("%.*s cannot be connected: %s\n", static_cast<int>(vif_.name.size()), vif_.name.data(),
                  name_of(done.error()));
            disconnect();
            break;
        }
        set_state(XenbusStateConnected);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        if (state_ == front)
            break;
        disconnect();
        set_state(front);
        break;
    default: break;
    }
}

// --- Connections ----------------------------------------------------------------

void Handshake::disconnect()
{
    path_.forget(vif_);
    vif_.disconnect();
    for (Queue*& queue : vif_.queues) {
        if (queue == nullptr)
            continue;
        if (queue->tx_event != bulkhead::Port{})
            (void)unbind(queue->tx_event);
        if (queue->has_split_events)
            (void)unbind(queue->rx_event);
        delete std::exchange(queue, nullptr);
    }
}

void Handshake::read_group_filter()
{
    vif_.filters_groups = flag("request-multicast-control", false);
}

Abilities Handshake::read_abilities()
{
    return {.scatter_gather = flag("feature-sg", false),
            .gso_tcp4 = flag("feature-gso-tcpv4", false),
            .gso_tcp6 = flag("feature-gso-tcpv6", false),
            .checksum4 = !flag("feature-no-csum-offload", false),
            .checksum6 = flag("feature-ipv6-csum-offload", false)};
}

Result<> Handshake::connect(bool is_takeover)
{
    const auto wanted = store_.read_number(front_ + "/multi-queue-num-queues");
    const uint64_t count = wanted ? *wanted : 1;
    if (count == 0 || count > most_queues)
        return failure(XEN_EINVAL);
    if (!flag("request-rx-copy", false))
        return failure(XEN_EOPNOTSUPP);
    for (uint32_t i = 0; i < count; ++i) {
        if (const auto done = connect_queue(i, static_cast<uint32_t>(count), is_takeover); !done)
            return done;
    }
    read_group_filter();
    vif_.connect(static_cast<uint32_t>(count), read_abilities(), life_);
    return {};
}

Result<> Handshake::connect_queue(uint32_t index, uint32_t count, bool is_takeover)
{
    const std::string base = count == 1 ? front_ : front_ + "/queue-" + std::to_string(index);
    const auto tx_ref = store_.read_number(base + "/tx-ring-ref");
    const auto rx_ref = store_.read_number(base + "/rx-ring-ref");
    if (!tx_ref || !rx_ref)
        return failure(tx_ref ? rx_ref.error() : tx_ref.error());
    auto* queue = new (std::nothrow) Queue;
    if (queue == nullptr)
        return failure(XEN_ENOMEM);
    vif_.queues[index] = queue;
    const Domain domain = vif_.plan.domain;
    const auto tx_grant = static_cast<uint32_t>(*tx_ref);
    const auto rx_grant = static_cast<uint32_t>(*rx_ref);
    auto tx_page = map_grant(domain, GrantRef{tx_grant}, Access::writable);
    if (!tx_page)
        return failure(tx_page.error());
    queue->tx_page = std::move(*tx_page);
    auto rx_page = map_grant(domain, GrantRef{rx_grant}, Access::writable);
    if (!rx_page)
        return failure(rx_page.error());
    queue->rx_page = std::move(*rx_page);

    const auto vif_number = static_cast<uint16_t>(vif_.index);
    const auto queue_number = static_cast<uint8_t>(index);
    queue->path = &path_;
    queue->tx.domain = queue->rx.domain = domain;
    queue->tx.name = {vif_number, queue_number, false, life_, tx_grant};
    queue->rx.name = {vif_number, queue_number, true, life_, rx_grant};
    queue->tx.ring.attach(queue->tx_page.data());
    queue->rx.ring.attach(queue->rx_page.data());
    if (is_takeover) {
        journal_.take_over(queue->tx.ring, queue->tx.name);
        journal_.take_over(queue->rx.ring, queue->rx.name);
    }
    if (const auto done = bind_events(*queue, base); !done)
        return done;
    path_.sender_has_frames(*queue);
    if (is_takeover) {
        // The former life may have ended before it told of its answers.
        (void)notify(queue->tx_event);
        if (queue->has_split_events)
            (void)notify(queue->rx_event);
    }
    return {};
}

Result<> Handshake::bind_events(Queue& queue, const std::string& base)
{
    const auto bind = [&](const char* node, void (*function)(void*, bulkhead::Port)) -> Result<bulkhead::Port> {
        const auto remote = store_.read_number(base + node);
        if (!remote)
            return failure(remote.error());
        return bind_interdomain(vif_.plan.domain, static_cast<uint32_t>(*remote), {function, &queue});
    };
    const auto tx = bind("/event-channel-tx", tx_event);
    if (tx) {
        queue.tx_event = *tx;
        const auto rx = bind("/event-channel-rx", rx_event);
        if (!rx)
            return failure(rx.error());
        queue.rx_event = *rx;
        queue.has_split_events = true;
        return {};
    }
    const auto both = bind("/event-channel", any_event);
    if (!both)
        return failure(both.error());
    queue.tx_event = queue.rx_event = *both;
    return {};
}

}  // namespace bulkhead::net
