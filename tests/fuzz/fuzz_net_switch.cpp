// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a partition that writes anything into the rings of its card, at any time, and takes grants
// back; the switch may restart meanwhile. Two honest partitions on the same network find their own rings in
// order, and every frame that one sends to the other arrives whole.
//
// Input: operations of one byte and their data; see step().
#include "pvdrivers/switch/data_path.hpp"

#include "tests/unit/switch/switch_box.hpp"
#include "tests/unit/switch/units.hpp"

namespace {

using namespace bulkhead::net;

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
    uint16_t half() { return static_cast<uint16_t>(byte() | byte() << 8); }
    uint32_t word() { return static_cast<uint32_t>(half() | half() << 16); }
};

class Fuzzed {
public:
    Fuzzed()
    {
        for (auto& guest : box.guests)
            guest->post();
        // What the hostile one sends, unless it writes over it: a frame for each of the others, and one for all.
        const Mac targets[] = {honest().mac, other().mac, broadcast, 0x0100'005e'0001};
        for (uint32_t i = 0; i < 256; ++i) {
            const Bytes frame = frame_bytes(targets[i % 4], hostile().mac, 1514, i % 8 < 4 ? 0x0800 : 0x8100);
            std::memcpy(hostile().tx_buffer[i], frame.data(), frame.size());
        }
    }
    void step(Input& input)
    {
        switch (input.byte() % 14) {
        case 0: raw_request(input); break;
        case 1: raw_extra(input); break;
        case 2: hostile().push(); break;
        case 3: hostile().tx->req_prod = input.word(); break;
        case 4: run(); break;
        case 5: fake::grants.erase({hostile().domain, reference(input)}); break;
        case 6: reinterpret_cast<uint8_t*>(hostile().tx)[input.half() % 4096] = input.byte(); break;
        case 7: reinterpret_cast<uint8_t*>(hostile().rx)[input.half() % 4096] = input.byte(); break;
        case 8: hostile().rx->req_prod = input.byte() % 4 == 0 ? input.word() : hostile().rx->rsp_prod + input.byte(); break;
        case 9: reinterpret_cast<uint8_t*>(hostile().tx_buffer[input.byte()])[input.half() % 4096] = input.byte(); break;
        case 10: exchange(input); break;
        case 11: restart(); break;
        case 12: fake::now_ns += int64_t{1000} * input.half(); break;
        case 13: box.connect(0, {(input.byte() & 1) != 0, (input.byte() & 1) != 0, true, (input.byte() & 1) != 0, false}); break;
        }
    }
    void end() { honest_exchange(100); }

private:
    FakeGuest& hostile() { return *box.guests[0]; }
    FakeGuest& honest() { return *box.guests[1]; }
    FakeGuest& other() { return *box.guests[2]; }

    uint32_t reference(Input& input)
    {
        return (input.byte() % 2 == 0 ? FakeGuest::tx_refs : FakeGuest::rx_refs) + input.byte();
    }
    void raw_request(Input& input)
    {
        const uint8_t how = input.byte();
        const auto size = static_cast<uint16_t>((how & 1) != 0 ? input.half() : 60 + input.byte());
        const auto offset = static_cast<uint16_t>((how & 2) != 0 ? input.half() : 0);
        hostile().request({FakeGuest::tx_refs + input.byte(), offset, static_cast<uint16_t>((how >> 2) & 15), 0, size});
    }
    void raw_extra(Input& input)
    {
        netif_extra_info_t extra{};
        extra.type = input.byte() % 6;
        extra.flags = input.byte() & 1;
        for (uint16_t& half : extra.u.pad)
            half = input.half();
        hostile().put_extra(extra);
    }
    void run()
    {
        box.run();
        if (const auto deadline = box.path->next_deadline()) {
            fake::now_ns = std::max(fake::now_ns, deadline->time_since_epoch().count());
            box.path->resume(*deadline);
            box.run();
        }
        for (FakeGuest* guest : {&honest(), &other()}) {
            require(guest->pull());
            require(guest->tx_failed == 0);
            guest->post();
        }
    }
    void exchange(Input& input) { honest_exchange(static_cast<size_t>(14 + input.half() % 1500)); }
    void honest_exchange(size_t bytes)
    {
        run();
        const Bytes frame = frame_bytes(other().mac, honest().mac, bytes, 0x0800, static_cast<uint8_t>(bytes));
        const size_t before = other().received.size();
        require(honest().send(frame));
        run();
        bool found = false;
        for (size_t i = before; i < other().received.size(); ++i)
            found = found || other().received[i].bytes == frame;
        require(found);
        other().received.clear();
        honest().received.clear();
    }
    void restart()
    {
        const bool was_cut_off = box.vifs[0]->was_cut_off();
        box.start();
        if (was_cut_off)
            box.vifs[0]->cut_off("it was");
    }

    SwitchBox box{some_cards(3)};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    fake::timers.clear();
    Fuzzed fuzzed;
    Input input{data, size};
    while (input.size != 0)
        fuzzed.step(input);
    fuzzed.end();
    return 0;
}
