// SPDX-License-Identifier: BSD-2-Clause
// Drives the first device of the plan by itself, in the place of the switch: asks QEMU's user network who 10.0.2.2
// is, pings it, resets the card in between, measures, and then sends each UDP datagram back to whom it came
// from. A datagram "crash" ends the life with the card running.
#include "pvdrivers/nic/make.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace {

using namespace bulkhead;
using namespace bulkhead::nic;
using namespace std::chrono_literals;

constexpr uint8_t own_address[] = {10, 0, 2, 15};
constexpr uint8_t gateway[] = {10, 0, 2, 2};
constexpr size_t headers_bytes = 14 + 20 + 8;

Nic* card;
std::array<uint8_t, 6> gateway_mac;
bool knows_gateway;
unsigned echoes;
uint64_t rx_ticks;
uint64_t rx_frames;
bool stop_soon;

uint64_t ticks() { return __builtin_ia32_rdtsc(); }

uint8_t at(std::span<const std::byte> bytes, size_t offset) { return std::to_integer<uint8_t>(bytes[offset]); }

uint16_t sum_of(std::span<const std::byte> bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
        sum += static_cast<uint32_t>(at(bytes, i)) << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

void put(std::span<std::byte> to, size_t offset, std::initializer_list<unsigned> bytes)
{
    for (const unsigned byte : bytes)
        to[offset++] = static_cast<std::byte>(byte);
}
void put(std::span<std::byte> to, size_t offset, std::span<const uint8_t> bytes)
{
    std::memcpy(&to[offset], bytes.data(), bytes.size());
}
void put16(std::span<std::byte> to, size_t offset, unsigned value) { put(to, offset, {value >> 8 & 0xff, value & 0xff}); }

void put_ethernet(std::span<std::byte> frame, std::span<const uint8_t> to, unsigned type)
{
    put(frame, 0, to);
    put(frame, 6, card->mac().bytes);
    put16(frame, 12, type);
}

void put_ipv4(std::span<std::byte> frame, unsigned protocol)
{
    put(frame, 14, {0x45, 0});
    put16(frame, 16, static_cast<unsigned>(frame.size() - 14));
    put(frame, 18, {0, 1, 0, 0, 64, protocol, 0, 0});
    put(frame, 26, own_address);
    put(frame, 30, gateway);
    put16(frame, 24, 0xffffU ^ sum_of(frame.subspan(14, 20)));
}

bool send(std::span<std::byte> frame, Offload offload = {})
{
    const std::span<std::byte> pieces[] = {frame};
    return card->send(pieces, offload);
}

void ask_for_gateway()
{
    constexpr uint8_t everybody[] = {255, 255, 255, 255, 255, 255};
    const auto buffer = card->tx_buffer();
    if (buffer.empty())
        return;
    const auto frame = buffer.first(60);
    std::fill(frame.begin(), frame.end(), std::byte{0});
    put_ethernet(frame, everybody, 0x0806);
    put(frame, 14, {0, 1, 8, 0, 6, 4, 0, 1});
    put(frame, 22, card->mac().bytes);
    put(frame, 28, own_address);
    put(frame, 38, gateway);
    (void)send(frame);
    card->kick();
}

bool ping(size_t bytes)
{
    const auto buffer = card->tx_buffer();
    if (buffer.empty())
        return false;
    const auto frame = buffer.first(bytes);
    std::fill(frame.begin() + headers_bytes, frame.end(), std::byte{0x5a});
    put_ethernet(frame, gateway_mac, 0x0800);
    put(frame, 34, {8, 0, 0, 0, 0x42, 0x42, 0, 1});
    put16(frame, 36, 0xffffU ^ sum_of(frame.subspan(34)));
    put_ipv4(frame, 1);
    return send(frame);
}

void answer_arp(std::span<const std::byte> frame)
{
    if (frame.size() < 42 || at(frame, 21) > 2 || std::memcmp(&frame[38], own_address, 4) != 0)
        return;
    if (at(frame, 21) == 2) {
        std::memcpy(gateway_mac.data(), &frame[22], 6);
        knows_gateway = true;
        return;
    }
    const auto buffer = card->tx_buffer();
    if (buffer.empty())
        return;
    const auto answer = buffer.first(60);
    std::memcpy(answer.data(), frame.data(), 42);
    std::memcpy(answer.data(), &frame[6], 6);
    put(answer, 6, card->mac().bytes);
    put16(answer, 20, 2);
    std::memcpy(&answer[32], &frame[22], 10);
    put(answer, 22, card->mac().bytes);
    put(answer, 28, own_address);
    (void)send(answer);
}

// The checksum is left to the card, or to its driver.
void answer_udp(std::span<const std::byte> frame)
{
    constexpr std::string_view crash_now = "crash";
    const size_t bytes = 14U + (at(frame, 16) << 8) + at(frame, 17);
    if (bytes < headers_bytes || bytes > frame.size())
        return;
    if (bytes == headers_bytes + crash_now.size() &&
        std::memcmp(&frame[headers_bytes], crash_now.data(), crash_now.size()) == 0)
        stop_soon = true;
    const auto buffer = card->tx_buffer();
    if (buffer.empty())
        return;
    const auto answer = buffer.first(bytes);
    std::memcpy(answer.data(), frame.data(), bytes);
    std::memcpy(answer.data(), &frame[6], 6);
    put(answer, 6, card->mac().bytes);
    std::memcpy(&answer[26], &frame[30], 4);
    std::memcpy(&answer[30], &frame[26], 4);
    std::memcpy(&answer[34], &frame[36], 2);
    std::memcpy(&answer[36], &frame[34], 2);
    const unsigned length = static_cast<unsigned>(bytes - 34);
    uint32_t pseudo = sum_of(answer.subspan(26, 8)) + 17U + length;
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    put16(answer, 40, (pseudo & 0xffff) + (pseudo >> 16));
    (void)send(answer, {.checksum_blank = true, .checksum_valid = true, .gso_type = 0, .gso_size = 0});
}

void look_at(std::span<const std::byte> frame)
{
    if (frame.size() < headers_bytes)
        return;
    const unsigned type = at(frame, 12) << 8 | at(frame, 13);
    if (type == 0x0806)
        answer_arp(frame);
    else if (type == 0x0800 && at(frame, 23) == 1 && at(frame, 34) == 0)
        ++echoes;
    else if (type == 0x0800 && at(frame, 14) == 0x45 && at(frame, 23) == 17)
        answer_udp(frame);
}

void serve(void*, Port)
{
    std::array<RxFrame, 32> frames;
    uint64_t in_driver = 0;
    const auto timed = [&in_driver](auto function) {
        const uint64_t before = ticks();
        const auto result = function();
        in_driver += ticks() - before;
        return result;
    };
    const uint64_t before = ticks();
    card->on_interrupt();
    in_driver += ticks() - before;
    do {
        while (const size_t count = timed([&frames] { return card->receive(frames); })) {
            for (size_t i = 0; i < count; ++i)
                look_at(frames[i].piece[0]);
            rx_frames += count;
            (void)timed([&frames, count] {
                card->recycle({frames.data(), count});
                return 0;
            });
        }
    } while (!timed([] { return card->listen(); }));
    rx_ticks += in_driver;
    card->kick();
}

// Blocks until the condition holds, at most so long.
template <class Condition>
bool wait_for(Condition condition, Duration most)
{
    const Time end = Clock::now() + most;
    while (!condition() && Clock::now() < end) {
        const Duration poll = card->poll_every();
        if (poll == Duration{0}) {
            (void)wait_until(end);
        } else {
            (void)wait_until(std::min(end, Clock::now() + poll));
            serve(nullptr, Port{});
        }
    }
    return condition();
}

bool find_gateway()
{
    knows_gateway = false;
    for (unsigned tries = 0; tries < 20 && !knows_gateway; ++tries) {
        ask_for_gateway();
        (void)wait_for([] { return knows_gateway; }, 500ms);
    }
    return knows_gateway;
}

// Frames of that size, in batches as a switch would send them, and their answers.
void measure(size_t bytes)
{
    constexpr unsigned batches = 32;
    constexpr unsigned batch = 16;
    unsigned sent = 0;
    rx_ticks = rx_frames = 0;
    const unsigned before = echoes;
    for (unsigned i = 0; i < batches; ++i) {
        for (unsigned j = 0; j < batch; ++j) {
            sent += ping(bytes) ? 1U : 0U;
        }
        card->kick();
        (void)wait_for([before, sent] { return echoes - before >= sent; }, 200ms);
    }
    print("nic_echo: %lu bytes: %u of %u echoes, %lu ticks a frame received\n", bytes, echoes - before, sent,
          rx_frames == 0 ? 0UL : rx_ticks / rx_frames);
}

// One frame again and again: what sending costs, without making it.
void measure_sending(size_t bytes)
{
    constexpr unsigned batches = 64;
    constexpr unsigned batch = 16;
    uint64_t in_driver = 0;
    for (unsigned i = 0; i < batches; ++i) {
        for (unsigned j = 0; j < batch; ++j) {
            uint64_t before = ticks();
            const auto buffer = card->tx_buffer();
            in_driver += ticks() - before;
            if (buffer.empty())
                continue;
            const auto frame = buffer.first(bytes);
            put_ethernet(frame, card->mac().bytes, 0x88b5);
            before = ticks();
            (void)send(frame);
            in_driver += ticks() - before;
        }
        const uint64_t before = ticks();
        card->kick();
        in_driver += ticks() - before;
        sleep_for(1ms);
    }
    print("nic_echo: %lu bytes: %lu ticks a frame sent\n", bytes, in_driver / (batches * batch));
}

bool reset_and_ping(unsigned times)
{
    for (unsigned i = 0; i < times; ++i) {
        for (unsigned j = 0; j < 4; ++j)
            (void)ping(60);
        card->kick();
        card->reset();
        const unsigned before = echoes;
        if (!ping(60))
            return false;
        card->kick();
        if (!wait_for([before] { return echoes != before; }, 2s))
            return false;
    }
    return true;
}

void print_counters()
{
    const Counters c = card->counters();
    print("nic_echo: received %lu, sent %lu, interrupts %lu, resets %lu, broken %lu, lost %lu, bad %lu, no buffer %lu\n",
          c.rx_frames, c.tx_frames, c.interrupts, c.resets, c.broken, c.tx_lost, c.tx_bad, c.tx_no_buffer);
}

}  // namespace

int main()
{
    static auto device = Device::open(0);
    if (!device) {
        print("nic_echo: no device: %s\n", name_of(device.error()));
        return 1;
    }
    const DeviceInfo& info = device->info();
    print("nic_echo: %04x:%04x at %02x:%02x.%x, %u interrupts, %s\n", info.vendor, info.device, info.address >> 8,
          info.address >> 3 & 31, info.address & 7, device->interrupts(), info.confined ? "confined" : "trusted");
    const auto made = make_nic(*device, dma_arena(), {serve, nullptr});
    if (!made) {
        print("nic_echo: no card: %s; %s\n", name_of(made.error()), info.why.data());
        return 1;
    }
    card = *made;
    const auto mac = card->mac().bytes;
    const LinkState link = card->link();
    print("nic_echo: %s %02x:%02x:%02x:%02x:%02x:%02x, link %s, %u Mbit/s\n", card->name(), mac[0], mac[1], mac[2],
          mac[3], mac[4], mac[5], link.up ? "up" : "down", link.mbit_per_second);
    serve(nullptr, Port{});
    if (!find_gateway()) {
        print_counters();
        print("nic_echo: nobody answers\n");
        return 1;
    }
    print("nic_echo: the gateway answers\n");
    measure(60);
    measure(1514);
    measure_sending(60);
    measure_sending(1514);
    print("nic_echo: 10 resets: %s\n", reset_and_ping(10) ? "each ends with an echo" : "no echo");
    print_counters();
    print("nic_echo: ready\n");
    LinkState before = card->link();
    for (;;) {
        (void)wait_for([] { return stop_soon; }, 1s);
        if (stop_soon)
            crash("as asked for");
        card->maintain();
        if (card->link() != before) {
            before = card->link();
            print("nic_echo: link %s\n", before.up ? "up" : "down");
        }
    }
}
