// SPDX-License-Identifier: BSD-2-Clause
// A control loop at a fixed rate, and the standing measure of how well partitions are kept apart in
// time: each second it prints how late its wake-ups were and how many deadlines it missed.
// Its config node: rate (Hz, 1000), deadline (us after the release by which a cycle's outputs are to be
// written, half of the period), cycles (0: for ever), and what publish.cpp reads. How urgent it is says the
// partition's `priority`.
#include "pvdrivers/plc/jitter.hpp"
#include "pvdrivers/plc/process_image.hpp"
#include "pvdrivers/plc/publish.hpp"
#include "pvdrivers/plc/tank.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/shared_memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <chrono>
#include <cstdlib>
#include <optional>

namespace {

using namespace bulkhead;
using plc::Jitter;
using plc::ProcessImage;

constexpr uint64_t second_ns = 1'000'000'000;
constexpr uint64_t fastest_hz = 20'000;

struct Settings {
    uint64_t rate_hz = config().number("rate", 1000);
    Duration period{second_ns / std::clamp<uint64_t>(rate_hz, 1, fastest_hz)};
    Duration deadline{std::chrono::microseconds(
        config().number("deadline", static_cast<uint64_t>(period.count()) / 2000))};
    uint64_t cycles = config().number("cycles", 0);
};

void check(const Settings& settings)
{
    if (settings.rate_hz < 1 || settings.rate_hz > fastest_hz)
        crash("config: rate = %lu; 1 to %lu Hz are possible", settings.rate_hz, fastest_hz);
    if (settings.deadline.count() < 1 || settings.deadline > settings.period)
        crash("config: deadline = %ld us; 1 to the period, %ld us, is possible",
              static_cast<long>(settings.deadline.count() / 1000), static_cast<long>(settings.period.count() / 1000));
}

// What the plan shares as `process-image`, once it is open. Its bell is rung once a second.
std::optional<SharedMemory>& shared_image()
{
    static std::optional<SharedMemory> shared;
    return shared;
}

// The shared one, or one of our own.
ProcessImage& open_image()
{
    static ProcessImage own;
    auto region = SharedMemory::open("process-image");
    if (!region) {
        if (region.error() != XEN_ENOENT)
            crash("shared memory process-image: %s", name_of(region.error()));
        return own;
    }
    if (!region->writable() || region->bytes().size() < sizeof(ProcessImage))
        crash("shared memory process-image: it must be writable here, with %zu bytes", sizeof(ProcessImage));
    shared_image() = std::move(*region);
    print("process image in shared memory\n");
    return *reinterpret_cast<ProcessImage*>(shared_image()->bytes().data());
}

// The figures of a second. Printed a line a cycle, in the time that a cycle leaves.
class Report {
public:
    void begin(const Jitter& jitter, uint64_t missed, uint64_t cycle)
    {
        jitter_ = jitter;
        missed_ = missed;
        cycle_ = cycle;
        next_line_ = 1;
    }
    void print_line()
    {
        switch (next_line_) {
        case 1:
            print("cycle %lu: %lu deadlines missed; late by min %s mean %s 99.9%% %s max %s us\n", cycle_, missed_,
                  Us(jitter_.min_ns()).text, Us(jitter_.mean_ns()).text, Us(jitter_.per_mille_ns(999)).text,
                  Us(jitter_.max_ns()).text);
            next_line_ = 2;
            return;
        case 2:
            print_histogram();
            next_line_ = 0;
            return;
        default:
            return;
        }
    }

private:
    struct Us {
        explicit Us(uint64_t ns) { snprintf_us(ns); }
        void snprintf_us(uint64_t ns) { sniprintf(text, sizeof(text), "%lu.%lu", ns / 1000, ns % 1000 / 100); }
        char text[24];
    };

    void print_histogram() const
    {
        char line[256];
        int length = 0;
        for (size_t bar = 0; bar < Jitter::bars; ++bar) {
            const bool last = bar == Jitter::bounds_us.size();
            length += sniprintf(line + length, sizeof(line) - static_cast<size_t>(length), " %s%u:%u",
                                last ? ">=" : "<", Jitter::bounds_us[last ? bar - 1 : bar],
                                jitter_.histogram()[bar]);
        }
        print("us%s\n", line);
    }

    Jitter jitter_;
    uint64_t missed_ = 0;
    uint64_t cycle_ = 0;
    unsigned next_line_ = 0;
};

class Loop {
public:
    Loop(const Settings& settings, ProcessImage& image) : settings_(settings), image_(image)
    {
        image_ = {};
        image_.rate_hz = static_cast<uint32_t>(settings.rate_hz);
    }

    void run()
    {
        Time release = Clock::now() + settings_.period;
        Time second_ends = release + std::chrono::seconds(1);
        while (settings_.cycles == 0 || cycle_ < settings_.cycles) {
            sleep_until(release);
            const Time woken = Clock::now();
            jitter_.add(static_cast<uint64_t>((woken - release).count()));
            work();
            const Time done = Clock::now();
            if (done > release + settings_.deadline)
                ++missed_;
            release += settings_.period;
            // Releases that have passed meanwhile are lost, and each is a deadline missed.
            for (; release + settings_.deadline < done; release += settings_.period)
                ++missed_;
            if (done >= second_ends) {
                finish_second();
                second_ends += std::chrono::seconds(1);
            }
            report_.print_line();
        }
    }

    [[nodiscard]] uint64_t missed() const { return missed_; }

private:
    void work()
    {
        const double seconds = static_cast<double>(settings_.period.count()) * 1e-9;
        ++cycle_;
        plc::update(image_, [&](ProcessImage& image) {
            image.cycle = cycle_;
            image.missed_deadlines = missed_;
            image.level_um = tank_.level_um();
            image.setpoint_um = cycle_ / (settings_.rate_hz * 20) % 2 == 0 ? 1'000'000 : 600'000;
            image.valve_per_mille = controller_.step(seconds, image.setpoint_um, image.level_um);
            image.alarm = std::abs(image.setpoint_um - image.level_um) > 200'000;
        });
        tank_.step(seconds, image_.valve_per_mille);
    }

    void finish_second()
    {
        plc::update(image_, [&](ProcessImage& image) {
            image.jitter_min_ns = static_cast<uint32_t>(jitter_.min_ns());
            image.jitter_mean_ns = static_cast<uint32_t>(jitter_.mean_ns());
            image.jitter_per_mille_999_ns = static_cast<uint32_t>(jitter_.per_mille_ns(999));
            image.jitter_max_ns = static_cast<uint32_t>(jitter_.max_ns());
        });
        if (shared_image())
            shared_image()->ring();
        plc::shown_figures.show({.cycle = cycle_,
                             .missed = missed_,
                             .rate_hz = settings_.rate_hz,
                             .deadline_us = static_cast<uint64_t>(settings_.deadline.count()) / 1000,
                             .min_ns = jitter_.min_ns(),
                             .mean_ns = jitter_.mean_ns(),
                             .per_mille_999_ns = jitter_.per_mille_ns(999),
                             .max_ns = jitter_.max_ns(),
                             .level_um = image_.level_um,
                             .setpoint_um = image_.setpoint_um,
                             .valve_per_mille = image_.valve_per_mille,
                             .histogram = jitter_.histogram()});
        report_.begin(jitter_, missed_, cycle_);
        jitter_.clear();
    }

    const Settings& settings_;
    ProcessImage& image_;
    plc::Tank tank_;
    plc::Controller controller_;
    Jitter jitter_;
    Report report_;
    uint64_t cycle_ = 0;
    uint64_t missed_ = 0;
};

}  // namespace

int main()
{
    const Settings settings;
    check(settings);
    ProcessImage& image = open_image();
    print("control loop at %lu Hz, deadline %ld us\n", settings.rate_hz,
          static_cast<long>(settings.deadline.count() / 1000));
    plc::start_publishing();
    static Loop loop(settings, image);
    loop.run();
    print("%lu cycles done, %lu deadlines missed, level %d um\n", settings.cycles, loop.missed(), image.level_um);
    return 0;
}
