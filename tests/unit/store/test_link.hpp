// SPDX-License-Identifier: BSD-2-Clause
// A link of the store's client whose waiting is what the test says: the store works, or does not.
#pragma once

#include "pvdrivers/runtime/store_link.hpp"

#include <functional>

namespace bulkhead {

class TestLink final : public StoreLink {
public:
    explicit TestLink(xenstore_domain_interface& ring) : StoreLink(ring) {}
    void notify() override { ++notifications; }
    bool wait(Time deadline) override
    {
        const uint32_t before = ring().req_cons + ring().rsp_prod + ring().connection;
        if (answer)
            answer();
        if (ring().req_cons + ring().rsp_prod + ring().connection != before)
            return true;
        time = deadline;
        return false;
    }
    Time now() override { return time; }
    void deliver_soon() override { deliver_wanted = true; }

    std::function<void()> answer;       // the store works
    Time time{};
    unsigned notifications = 0;
    bool deliver_wanted = false;
};

}  // namespace bulkhead
