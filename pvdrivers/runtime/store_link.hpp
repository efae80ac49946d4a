// SPDX-License-Identifier: BSD-2-Clause
// What the store's client needs of the world: the ring, its event channel, time.
#pragma once

#include <bulkhead/store.hpp>

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace bulkhead {

class StoreLink {
public:
    explicit StoreLink(xenstore_domain_interface& ring) : ring_(ring) {}
    [[nodiscard]] xenstore_domain_interface& ring() { return ring_; }

    // Something new is in the ring.
    virtual void notify() = 0;
    // Until the store notifies, running no handler; false if it did not by then.
    [[nodiscard]] virtual bool wait(Time deadline) = 0;
    [[nodiscard]] virtual Time now() = 0;
    // Store::deliver() is to be called by the next wait of the program.
    virtual void deliver_soon() = 0;

protected:
    ~StoreLink() = default;

private:
    xenstore_domain_interface& ring_;
};

}  // namespace bulkhead
