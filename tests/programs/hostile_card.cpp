// SPDX-License-Identifier: BSD-2-Clause
// A partition that breaks every rule of its network card's rings, one after the other, each on a connection of
// its own. The switch is to cut it off or to drop what it sends, and to let it connect again; the others on
// its network are to notice nothing.
#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/grants.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/store.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <cstring>
#include <string>

extern "C" {
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>
}

namespace {

using namespace bulkhead;
using namespace std::chrono_literals;

constexpr Domain switch_domain{0x7001};
constexpr uint32_t slots = 256;

Store* store;
std::string back;

void put(const char* node, uint64_t value)
{
    if (const auto done = store->write_number(std::string("device/vif/0/") + node, value); !done)
        crash("%s: %s", node, name_of(done.error()));
}

void wait_for(XenbusState state)
{
    for (unsigned tries = 0; tries < 2000; ++tries) {
        if (store->read_number(back + "/state").value_or(0) == state)
            return;
        sleep_for(5ms);
    }
    crash("the back end does not come to state %u", static_cast<unsigned>(state));
}

template <class T>
T* page()
{
    const auto pages = allocate_pages(1);
    if (!pages)
        crash("no memory");
    return reinterpret_cast<T*>(pages->data());
}

GrantRef give(const void* memory, Access access)
{
    const auto ref = grant(switch_domain, memory, access);
    if (!ref)
        crash("no grant: %s", name_of(ref.error()));
    return *ref;
}

// One connection.
struct Card {
    netif_tx_sring_t* tx = page<netif_tx_sring_t>();
    netif_rx_sring_t* rx = page<netif_rx_sring_t>();
    uint8_t* buffer = page<uint8_t>();
    GrantRef tx_ref = give(tx, Access::writable);
    GrantRef rx_ref = give(rx, Access::writable);
    GrantRef buffer_ref = give(buffer, Access::writable);
    Port port{};
    uint32_t used = 0;

    void connect()
    {
        tx->req_event = tx->rsp_event = rx->req_event = rx->rsp_event = 1;
        const auto allocated = allocate_unbound(switch_domain, {});
        if (!allocated)
            crash("no port");
        port = *allocated;
        put("tx-ring-ref", static_cast<uint32_t>(tx_ref));
        put("rx-ring-ref", static_cast<uint32_t>(rx_ref));
        put("event-channel", static_cast<uint32_t>(port));
        put("request-rx-copy", 1);
        put("feature-rx-notify", 1);
        put("feature-sg", 1);
        put("state", XenbusStateConnected);
        wait_for(XenbusStateConnected);
        // A frame for everybody, from another's address until the attack says otherwise.
        std::memset(buffer, 0xff, 6);
        std::memset(buffer + 6, 2, 6);
    }
    void request(uint16_t flags, uint16_t size, uint16_t offset = 0)
    {
        (&tx->ring[0])[used % slots].req = {static_cast<uint32_t>(buffer_ref), offset, flags, static_cast<uint16_t>(used), size};
        ++used;
    }
    void extra(uint8_t type, uint8_t flags)
    {
        netif_extra_info_t info{};
        info.type = type;
        info.flags = flags;
        std::memcpy(&(&tx->ring[0])[used % slots], &info, sizeof(info));
        ++used;
    }
    void show(uint32_t end)
    {
        __atomic_store_n(&tx->req_prod, end, __ATOMIC_SEQ_CST);
        (void)notify(port);
        sleep_for(20ms);
    }
    void close()
    {
        put("state", XenbusStateClosing);
        wait_for(XenbusStateClosing);
        put("state", XenbusStateClosed);
        wait_for(XenbusStateClosed);
        (void)unbind(port);
        for (const GrantRef ref : {tx_ref, rx_ref, buffer_ref}) {
            if (const auto done = revoke(ref); !done && ref != buffer_ref)
                crash("a page is still in use after the card was closed");
        }
        put("state", XenbusStateInitialising);
        wait_for(XenbusStateInitWait);
    }
};

struct Attack {
    const char* name;
    void (*run)(Card& card);
};

constexpr Attack attacks[] = {
    {"another's address", [](Card& c) { for (int i = 0; i < 200; ++i) c.request(0, 60); c.show(c.used); }},
    {"an index that runs away", [](Card& c) { c.show(1000); }},
    {"an index that goes back", [](Card& c) { c.show(~0u - 5); }},
    {"extra infos without an end", [](Card& c) { c.request(NETTXF_extra_info, 60); while (c.used < 200) c.extra(1, 1); c.show(c.used); }},
    {"an extra info of no meaning", [](Card& c) { c.request(NETTXF_extra_info, 60); c.extra(77, 0); c.show(c.used); }},
    {"a frame without an end", [](Card& c) { while (c.used < 250) c.request(NETTXF_more_data, 1000); c.show(c.used); }},
    {"a slot over its page", [](Card& c) { c.request(0, 1000, 4000); c.show(c.used); }},
    {"sizes that do not add up", [](Card& c) { c.request(NETTXF_more_data, 60); c.request(0, 600); c.show(c.used); }},
    {"frames of no bytes and of too many", [](Card& c) { c.request(0, 0); c.request(0, 5); c.request(0, 4096); c.show(c.used); }},
    {"a grant that is gone", [](Card& c) { (void)revoke(c.buffer_ref); for (int i = 0; i < 100; ++i) c.request(0, 60); c.show(c.used); }},
    {"a receiving index that runs away", [](Card& c) { __atomic_store_n(&c.rx->req_prod, 5000u, __ATOMIC_SEQ_CST); c.show(0); }},
    {"receiving slots of nothing", [](Card& c) {
         for (uint32_t i = 0; i < slots; ++i)
             (&c.rx->ring[0])[i].req = {static_cast<uint16_t>(i), 0, 0xffff'0000u + i};
         __atomic_store_n(&c.rx->req_prod, slots, __ATOMIC_SEQ_CST);
         c.show(0);
     }},
    {"events without work", [](Card& c) { for (int i = 0; i < 5000; ++i) (void)notify(c.port); }},
};

}  // namespace

int main()
{
    const auto opened = Store::open();
    if (!opened)
        crash("no store: %s", name_of(opened.error()));
    store = *opened;
    const auto path = store->read("device/vif/0/backend");
    if (!path)
        crash("no card: %s", name_of(path.error()));
    back = *path;
    wait_for(XenbusStateInitWait);
    for (const Attack& attack : attacks) {
        print("hostile: %s\n", attack.name);
        Card card;
        card.connect();
        attack.run(card);
        card.close();
    }
    print("hostile: done\n");
    for (;;)
        wait();
}
