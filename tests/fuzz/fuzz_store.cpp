// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: two clients that put anything into their rings, and a store that stops at any
// change of its region and comes back. The region is sound after every step, and a third client that
// behaves is always served.
//
// Input: operations of one byte and their data; see run().
#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

namespace {

using namespace bulkhead::store;

void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

struct Input {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    uint32_t word()
    {
        uint32_t value = byte();
        value |= uint32_t{byte()} << 8;
        value |= uint32_t{byte()} << 16;
        return value | uint32_t{byte()} << 24;
    }
    std::string text(size_t length)
    {
        length = std::min(length, size);
        std::string text(reinterpret_cast<const char*>(data), length);
        data += length;
        size -= length;
        return text;
    }
};

class Fuzzed {
public:
    Fuzzed() : box(3, 256 << 10, "/open\0b0\0\0"s "@releaseDomain\0r0\0\0"s)
    {
        stop_at = UINT64_MAX;
        box.start();
    }

    void run(Input input)
    {
        while (input.size != 0) {
            step(input);
            require(check(*box.region) == nullptr);
        }
        stop_at = UINT64_MAX;
        // Whatever the two did: the third works.
        box.guests[0] = std::make_unique<FakeClient>();
        box.guests[1] = std::make_unique<FakeClient>();
        box.lives = {0, 0, 1};
        box.server->end_life(0);
        box.server->end_life(1);
        require(box.write(2, "data/x", "alive").empty());
        require(box.read(2, "data/x") == "alive");
        require(box.region->client(0).cells == 0 || box.region->client(0).nodes != 0);
    }

private:
    void step(Input& input)
    {
        const uint8_t operation = input.byte();
        const uint32_t client = operation >> 7;
        xenstore_domain_interface& ring = box.guests[client]->ring;
        switch (operation & 7) {
        case 0:
        case 1: {  // a well-formed header with any payload
            const uint32_t type = input.byte() % (XS_TYPE_COUNT + 2);
            const uint32_t transaction = input.byte() % 3;
            put(ring, FakeClient::message(type, 1, transaction, input.text(input.byte())));
            break;
        }
        case 2: {  // the same about the paths that matter
            static constexpr const char* paths[] = {"/open", "/open/a", "/open/a/b", "data", "data/c", "@releaseDomain"};
            const uint32_t type = input.byte() % XS_TYPE_COUNT;
            std::string payload = paths[input.byte() % 6];
            payload += '\0';
            payload += input.text(input.byte() % 64);
            if (operation & 8)
                payload += '\0';
            put(ring, FakeClient::message(type, 2, input.byte() % 3, payload));
            break;
        }
        case 3: put(ring, input.text(input.byte())); break;
        case 4:  // takes some of its answers
            ring.rsp_cons += std::min<uint32_t>(input.byte() * 8U, ring.rsp_prod - ring.rsp_cons);
            break;
        case 5:  // changes any position
            *(&ring.req_cons + input.byte() % 7) = (operation & 8) != 0 ? input.word() : input.byte();
            break;
        case 6:
            stop_points_passed = 0;
            stop_at = input.byte();
            break;
        case 7:
            if ((operation & 0x78) == 0)
                new_life(client);
            break;
        }
        survive([&] { box.server->turn(); });
    }
    void put(xenstore_domain_interface& ring, const std::string& bytes)
    {
        for (const char c : bytes) {
            if (ring.req_prod - ring.req_cons >= XENSTORE_RING_SIZE)
                return;
            ring.req[MASK_XENSTORE_IDX(ring.req_prod++)] = c;
        }
    }
    void new_life(uint32_t client)
    {
        box.guests[client] = std::make_unique<FakeClient>();
        const uint32_t life = ++box.lives[client];
        survive([&] { box.server->begin_life(client, life, &box.guests[client]->ring); });
    }
    template <typename Action>
    void survive(Action action)
    {
        try {
            action();
        } catch (const Stopped&) {
            stop_at = UINT64_MAX;
            box.reports.clear();
            box.start();
            for (const std::string& report : box.reports)
                require(!report.starts_with("the region"));
        }
    }

    StoreBox box;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    Fuzzed().run({data, size});
    return 0;
}
