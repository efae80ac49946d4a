// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: the network card's front end, with lwIP on it, and a back end that writes anything into its
// rings, pages and store nodes at any time, and holds pages that it should not. Nothing outside of what was
// shared is read, and a back end that is correct afterwards is served.
//
// Input: operations of one byte and their data; see step().
#include "tests/unit/net/front_box.hpp"

namespace {

using namespace bulkhead;
using std::chrono::milliseconds;

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
    std::string text(size_t length)
    {
        length = std::min(length, size);
        std::string text(reinterpret_cast<const char*>(data), length);
        data += length;
        size -= length;
        return text;
    }
};

unsigned reached;
err_t count(pbuf* frame, netif*)
{
    ++reached;
    pbuf_free(frame);
    return ERR_OK;
}

class Fuzzed {
public:
    Fuzzed()
    {
        require(box.connect());
        ip4_addr_t address, mask, gateway{};
        IP4_ADDR(&address, 10, 0, 0, 1);
        IP4_ADDR(&mask, 255, 255, 255, 0);
        netif_set_addr(&interface(), &address, &mask, &gateway);
        netif_create_ip6_linklocal_address(&interface(), 1);
    }
    netif& interface() { return box.card->interface(); }

    void run(Input input)
    {
        while (input.size != 0)
            step(input);
        // Whatever was: a back end that behaves is served.
        for (auto& [ref, granted] : fake::grants)
            granted.held = false;
        box.box.write(1, std::string(FrontBox::backend) + "/feature-rx-copy", "1");
        box.box.write(1, std::string(FrontBox::backend) + "/feature-split-event-channels", "1");
        box.state(XenbusStateClosed);
        box.pass(milliseconds(5000));
        require(!box.card->is_connected());
        require(fake::grants.empty());
        require(box.connect());
        interface().input = count;
        reached = 0;
        box.put_frame({{"good"}, {"frame"}});
        box.rx_event();
        require(reached == 1);
    }

private:
    bool connected() { return box.card->is_connected(); }
    void step(Input& input)
    {
        const uint8_t operation = input.byte();
        switch (operation % 12) {
        case 0: return box.rx_event();
        case 1: return box.tx_event();
        case 2: return box.pass(milliseconds(operation));
        case 3: {
            // A frame as it should be, of any bytes: for lwIP.
            if (!connected() || box.rx_requests() == 0 || box.rx_requests() > 256)
                return;
            const auto request = box.slot(box.rx, box.rx_taken).req;
            if (fake::grants.contains(request.gref))
                box.put_frame({{input.text(std::min<size_t>(operation * 8u, 4096)), 0}},
                              static_cast<unsigned>(operation & NETRXF_data_validated));
            return;
        }
        case 4: {
            const auto at = input.half();
            if (connected()) {
                auto& slot = box.slot(box.rx, at).rsp;
                slot = {input.half(), input.half(), input.half(), static_cast<int16_t>(input.half())};
            }
            return;
        }
        case 5:
            if (connected())
                box.rx->rsp_prod += operation / 12u;
            return;
        case 6:
            if (connected()) {
                box.slot(box.tx, input.byte()).rsp = {input.half(), static_cast<int16_t>(input.half())};
                box.tx->rsp_prod += operation / 24u;
            }
            return;
        case 7: {
            pbuf* frame = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(input.half() % 10000), PBUF_RAM);
            if (frame != nullptr) {
                (void)interface().linkoutput(&interface(), frame);
                pbuf_free(frame);
            }
            return;
        }
        case 8:
            if (connected() && box.tx->req_prod - box.tx_taken <= 64 && box.tx_taken != box.tx->req_prod &&
                fake::grants.contains(box.slot(box.tx, box.tx_taken).req.gref))
                box.take_frame();
            return;
        case 9: {
            unsigned which = input.byte();
            for (auto& [ref, granted] : fake::grants)
                if (which-- == 0)
                    granted.held = !granted.held;
            return;
        }
        case 10: return begin(XenbusState(operation / 12 % 9));
        default: {
            const char* nodes[] = {"feature-rx-copy", "feature-sg", "feature-split-event-channels",
                                   "feature-no-csum-offload", "state"};
            box.set(nodes[operation / 12u % 5], input.text(input.byte() % 4));
            return;
        }
        }
    }
    // A state of the back end; its side of the rings follows when the card has connected anew.
    void begin(XenbusState state)
    {
        const uint64_t before = box.card->counters().connected;
        box.state(state);
        if (!connected() || box.card->counters().connected == before)
            return;
        box.tx = static_cast<netif_tx_sring*>(box.page(box.front_number("tx-ring-ref")));
        box.rx = static_cast<netif_rx_sring*>(box.page(box.front_number("rx-ring-ref")));
        box.tx_taken = box.rx_taken = 0;
    }

    FrontBox box;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto fuzzed = std::make_unique<Fuzzed>();
    fuzzed->run({data, size});
    return 0;
}
