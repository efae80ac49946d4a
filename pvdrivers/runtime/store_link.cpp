// SPDX-License-Identifier: BSD-2-Clause
// The partition's own connection to the store. Source: xen/include/public/xen.h, struct start_info.
#include "pvdrivers/runtime/store_link.hpp"

#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/memory.hpp"

extern "C" {
#include <xen/event_channel.h>
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

class OwnLink final : public StoreLink {
public:
    OwnLink(xenstore_domain_interface& ring, Port port) : StoreLink(ring), port_(port), timer_(deliver, this) {}

    [[nodiscard]] Result<> connect() { return adopt_port(port_, {[](void* self, Port) { deliver(self); }, this}); }
    [[nodiscard]] Store& store() { return store_; }

    void notify() override { (void)bulkhead::notify(port_); }
    bool wait(Time deadline) override
    {
        // Whoever looks at the ring next sees all that was announced up to here.
        while (!take_pending(port_)) {
            if (now() >= deadline)
                return false;
            auto port = static_cast<evtchn_port_t>(port_);
            sched_poll_t poll = {};
            set_xen_guest_handle(poll.ports, &port);
            poll.nr_ports = 1;
            poll.timeout = static_cast<uint64_t>(deadline.time_since_epoch().count());
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_poll, as_argument(&poll));
        }
        return true;
    }
    Time now() override { return Clock::now(); }
    void deliver_soon() override { timer_.start(now()); }

private:
    static void deliver(void* self) { static_cast<OwnLink*>(self)->store_.deliver(); }

    Port port_;
    Timer timer_;
    Store store_{*this};
};

// The former life of a service, or a loader, may have used the ring.
Result<> begin_afresh(Store& store, xenstore_domain_interface& ring)
{
    const bool unused = (ring.req_prod | ring.req_cons | ring.rsp_prod | ring.rsp_cons) == 0;
    return unused ? Result<>() : store.reconnect();
}

}  // namespace

Result<Store*> Store::open()
{
    static OwnLink* link;
    if (link == nullptr) {
        if (start_info->store_mfn == 0 || start_info->store_evtchn == 0)
            return failure(XEN_ENODEV);
        auto& ring = *static_cast<xenstore_domain_interface*>(ring_page(start_info->store_mfn));
        link = new OwnLink(ring, Port(start_info->store_evtchn));
        Result<> done = link->connect();
        if (done)
            done = begin_afresh(link->store(), ring);
        if (!done) {
            delete link;
            link = nullptr;
            return failure(done.error());
        }
    }
    return &link->store();
}

}  // namespace bulkhead
