// SPDX-License-Identifier: BSD-2-Clause
// The store as a client sees it. Command line `cost`: prints what a read of a short node takes from
// the request's first byte to the answer, in ticks, but for the client's own. It goes on
// as Linux does: header and payload apart, each with a notification, then it blocks. `fill`: makes
// nodes until its quota is used up, and 100 watches; says so and stays.
#include "framework/events.hpp"
#include "framework/memory.hpp"

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace {

constexpr unsigned watches = 100;

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

xenstore_domain_interface* ring;
bool is_rehearsal;              // nobody is told

uint32_t show(uint32_t& position) { return __atomic_load_n(&position, __ATOMIC_ACQUIRE); }

template <class Condition>
void wait_until(Condition holds)
{
    for (;;) {
        // What comes behind this makes the block return at once.
        mask_events();
        take_pending(start_info->store_evtchn);
        if (holds())
            break;
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block, 0);
    }
    unmask_events();
}

void put(const void* data, uint32_t bytes)
{
    xenstore_domain_interface& store = *ring;
    const auto* from = static_cast<const char*>(data);
    uint32_t at = store.req_prod;
    if (at + bytes - show(store.req_cons) > XENSTORE_RING_SIZE)
        wait_until([&] { return at + bytes - show(store.req_cons) <= XENSTORE_RING_SIZE; });
    for (uint32_t i = 0; i < bytes; ++i)
        store.req[MASK_XENSTORE_IDX(at++)] = from[i];
    __atomic_store_n(&store.req_prod, at, __ATOMIC_RELEASE);
    if (!is_rehearsal)
        send(start_info->store_evtchn);
}

// The rest beyond `room` is left out.
void take(void* data, uint32_t bytes, uint32_t room)
{
    xenstore_domain_interface& store = *ring;
    auto* to = static_cast<char*>(data);
    uint32_t at = store.rsp_cons;
    if (show(store.rsp_prod) - at < bytes)
        wait_until([&] { return show(store.rsp_prod) - at >= bytes; });
    for (uint32_t i = 0; i < bytes; ++i, ++at)
        if (i < room)
            to[i] = store.rsp[MASK_XENSTORE_IDX(at)];
    __atomic_store_n(&store.rsp_cons, at, __ATOMIC_RELEASE);
}

uint32_t length_of(const char* text)
{
    uint32_t length = 0;
    while (text[length] != '\0')
        ++length;
    return length;
}

// False if the store refuses. The answer's first bytes are left in `answer`; events are dropped.
bool ask(uint32_t type, const char* payload, uint32_t bytes, char (&answer)[64])
{
    const xsd_sockmsg request = {.type = type, .req_id = 7, .tx_id = 0, .len = bytes};
    put(&request, sizeof(request));
    put(payload, bytes);
    for (;;) {
        xsd_sockmsg head;
        take(&head, sizeof(head), sizeof(head));
        take(answer, head.len, sizeof(answer) - 1);
        answer[head.len < sizeof(answer) ? head.len : sizeof(answer) - 1] = '\0';
        if (head.type != XS_WATCH_EVENT)
            return head.type == type;
    }
}

// What the client itself takes: against a ring in which the answer lies already.
uint64_t rehearse(const char* path, const char* value)
{
    char answer[64];
    xenstore_domain_interface* const real = ring;
    ring = new_page_as<xenstore_domain_interface>();
    is_rehearsal = true;
    const xsd_sockmsg head = {.type = XS_READ, .req_id = 7, .tx_id = 0, .len = length_of(value)};
    __builtin_memcpy(ring->rsp, &head, sizeof(head));
    ring->rsp_prod = static_cast<uint32_t>(sizeof(head)) + head.len;
    const uint64_t start = ticks();
    CHECK(ask(XS_READ, path, length_of(path) + 1, answer));
    const uint64_t took = ticks() - start;
    ring = real;
    is_rehearsal = false;
    return took;
}

void measure(const char* path)
{
    char answer[64];
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < 60; ++i) {
        const uint64_t start = ticks();
        CHECK(ask(XS_READ, path, length_of(path) + 1, answer));
        const uint64_t took = ticks() - start;
        best = took < best ? took : best;
    }
    const uint64_t own = rehearse(path, answer);
    print("client %lu\n", own);
    print("store_read %lu\n", best - own);
}

// "data/NNN", for a watch with a token behind it.
uint32_t name_node(char* to, unsigned number, const char* behind, uint32_t bytes_behind)
{
    char* at = to;
    for (const char* from = "data/device/"; *from != '\0';)
        *at++ = *from++;
    for (unsigned digit = 1000; digit != 0; digit /= 10)
        *at++ = static_cast<char>('0' + number / digit % 10);
    *at++ = '\0';
    for (uint32_t i = 0; i < bytes_behind; ++i)
        *at++ = behind[i];
    return static_cast<uint32_t>(at - to);
}

void fill()
{
    constexpr char value[] = {'0', '0', ':', '1', '6', ':', '3', 'e', ':', '1', '2', ':', '3', '4', ':', '5', '6'};
    constexpr char token[] = "token";
    char answer[64];
    char payload[64];
    unsigned nodes = 0;
    while (ask(XS_WRITE, payload, name_node(payload, nodes, value, sizeof(value)), answer))
        ++nodes;
    print("%u nodes, then %s\n", nodes, answer);
    for (unsigned i = 0; i < watches; ++i)
        CHECK(ask(XS_WATCH, payload, name_node(payload, i, token, sizeof(token)), answer));
    print("filled\n");
    for (;;)
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block, 0);
}

}  // namespace

GUEST_TEST(store)
{
    install_traps();
    listen_to_events();
    // It begins pending, and what is pending already raises nothing.
    set_port_mask(start_info->store_evtchn, false);
    take_pending(start_info->store_evtchn);
    ring = static_cast<xenstore_domain_interface*>(address_of_mfn(start_info->store_mfn));
    if (start_info->cmd_line[0] == 'f')
        fill();
    measure("name");
}
