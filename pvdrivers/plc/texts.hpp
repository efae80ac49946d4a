// SPDX-License-Identifier: BSD-2-Clause
// The figures as texts: one line of JSON, for a datagram and /figures.json, and a page for people.
#pragma once

#include "pvdrivers/plc/figures.hpp"

#include <array>
#include <charconv>
#include <string_view>

namespace plc {

// A text in a fixed place; what does not fit is cut.
template <size_t room>
class Text {
public:
    Text& add(std::string_view text)
    {
        text = text.substr(0, room - bytes_);
        std::copy(text.begin(), text.end(), text_.begin() + static_cast<ptrdiff_t>(bytes_));
        bytes_ += text.size();
        return *this;
    }
    Text& add(int64_t number)
    {
        std::array<char, 24> digits;
        return add({digits.data(), std::to_chars(digits.begin(), digits.end(), number).ptr});
    }
    Text& add(uint64_t number) { return add(static_cast<int64_t>(number)); }
    // Nanoseconds as microseconds with one digit behind the point.
    Text& add_us(uint64_t ns) { return add(ns / 1000).add(".").add(ns % 1000 / 100); }
    [[nodiscard]] std::string_view view() const { return {text_.data(), bytes_}; }
    void clear() { bytes_ = 0; }

private:
    std::array<char, room> text_;
    size_t bytes_ = 0;
};

template <size_t room>
void write_json(Text<room>& text, std::string_view name, const Figures& figures)
{
    text.add("{\"name\":\"").add(name).add("\",\"cycle\":").add(figures.cycle);
    text.add(",\"missed\":").add(figures.missed).add(",\"rate_hz\":").add(figures.rate_hz);
    text.add(",\"deadline_us\":").add(figures.deadline_us).add(",\"late_us\":{\"min\":").add_us(figures.min_ns);
    text.add(",\"mean\":").add_us(figures.mean_ns).add(",\"p99.9\":").add_us(figures.per_mille_999_ns);
    text.add(",\"max\":").add_us(figures.max_ns).add("},\"histogram\":[");
    for (size_t bar = 0; bar < Jitter::bars; ++bar)
        text.add(bar == 0 ? "" : ",").add(uint64_t{figures.histogram[bar]});
    text.add("],\"level_um\":").add(figures.level_um).add(",\"setpoint_um\":").add(figures.setpoint_um);
    text.add(",\"valve_per_mille\":").add(figures.valve_per_mille).add("}\n");
}

template <size_t room>
void write_page(Text<room>& text, std::string_view name, const Figures& figures)
{
    text.add("<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"1\">"
             "<meta name=\"viewport\" content=\"width=device-width\"><title>")
        .add(name)
        .add("</title><style>body{font:1rem system-ui,sans-serif;margin:2rem;max-width:40rem}"
             "td,th{padding:.15rem .8rem;text-align:right}th{text-align:left}"
             "i{display:inline-block;height:.8rem;background:#37a}</style><h1>")
        .add(name)
        .add("</h1><p>A control loop at ")
        .add(figures.rate_hz)
        .add(" Hz. How late its wake-ups were in the last second, in microseconds.<table>");
    const auto row = [&text](std::string_view what, auto value) {
        text.add("<tr><th>").add(what).add("<td>");
        value();
    };
    row("cycle", [&] { text.add(figures.cycle); });
    row("deadlines missed", [&] { text.add(figures.missed); });
    row("least", [&] { text.add_us(figures.min_ns); });
    row("mean", [&] { text.add_us(figures.mean_ns); });
    row("99.9 %", [&] { text.add_us(figures.per_mille_999_ns); });
    row("most", [&] { text.add_us(figures.max_ns); });
    row("level, set point (mm)",
        [&] { text.add(figures.level_um / 1000).add(", ").add(figures.setpoint_um / 1000); });
    text.add("</table><h2>Distribution</h2><table>");
    uint64_t all = 1;
    for (const uint32_t count : figures.histogram)
        all += count;
    for (size_t bar = 0; bar < Jitter::bars; ++bar) {
        const bool last = bar == Jitter::bounds_us.size();
        text.add("<tr><th>").add(last ? "&ge; " : "&lt; ").add(uint64_t{Jitter::bounds_us[last ? bar - 1 : bar]});
        text.add("<td>").add(uint64_t{figures.histogram[bar]});
        text.add("<td style=\"text-align:left\"><i style=\"width:").add(uint64_t{figures.histogram[bar]} * 300 / all);
        text.add("px\"></i>");
    }
    text.add("</table><p><a href=\"/figures.json\">figures.json</a></html>\n");
}

}  // namespace plc
