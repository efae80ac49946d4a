// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/plot.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

// The plane, in units of the picture: samples from the left to the right, 0 at the bottom.
constexpr uint32_t left = 2;
constexpr uint32_t step = 4;
constexpr uint32_t width = (History::length - 1) * step;
constexpr uint32_t right = left + width;
constexpr uint32_t top_edge = 14;
constexpr uint32_t height = 90;
constexpr uint32_t bottom_edge = top_edge + height;

void axes(Text& out)
{
    out << "<svg viewBox=\"0 0 " << right + 2 << ' ' << bottom_edge + 16 << "\" role=\"img\"><path class=\"g\" fill=\"none\" d=\"";
    for (uint32_t i = 0; i <= 4; ++i)
        out << 'M' << left << ' ' << top_edge + height * i / 4 << 'H' << right;
    out << "\"/><text class=\"ax\" x=\"" << left << "\" y=\"" << bottom_edge + 13 << "\">" << History::length * History::interval_s / 60
        << " min ago</text><text class=\"ax\" x=\"" << right << "\" y=\"" << bottom_edge + 13 << "\" text-anchor=\"end\">now</text>"
        << "<text class=\"ax\" x=\"" << left << "\" y=\"" << top_edge - 4 << "\">";
}

// Points of a path: value(sample) of `most` is the top.
template <class Value>
void points(const History& history, uint64_t most, Value value, Text& out)
{
    for (size_t i = 0; i < history.size(); ++i) {
        const uint64_t now = std::min<uint64_t>(value(history.at(i)), most);
        // Divided first: traffic times the height must not overflow.
        const uint64_t up = most < UINT32_MAX ? now * height / most : now / (most / height);
        out << (i == 0 ? "" : "L") << right - (history.size() - 1 - i) * step << ' ' << bottom_edge - std::min<uint64_t>(up, height);
    }
}

template <class Value>
void line(const History& history, std::string_view name, uint64_t most, Value value, Text& out)
{
    if (history.size() < 2)
        return;
    out << "<path class=\"l" << name << "\" fill=\"none\" stroke-width=\"1.5\" stroke-linejoin=\"round\" d=\"M";
    points(history, most, value, out);
    out << "\"/>";
}

template <class Value>
void area(const History& history, std::string_view name, uint64_t most, Value value, Text& out)
{
    if (history.size() < 2)
        return;
    out << "<path class=\"f" << name << "\" d=\"M";
    points(history, most, value, out);
    out << 'L' << right << ' ' << bottom_edge << 'H' << right - (history.size() - 1) * step << "z\"/>";
}

uint64_t most_traffic(const History& history)
{
    uint64_t most = 0;
    for (size_t i = 0; i < history.size(); ++i)
        most = std::max({most, history.at(i).delivered, history.at(i).uplink});
    return round_up(most);
}

}  // namespace

uint64_t round_up(uint64_t value)
{
    uint64_t unit = 1000;
    while (unit < UINT64_MAX / 100 && unit * 10 < value)
        unit *= 10;
    for (const uint64_t factor : {1u, 2u, 5u})
        if (value <= unit * factor)
            return unit * factor;
    return unit * 10;
}

void plot_traffic(const History& history, Text& out)
{
    const uint64_t most = most_traffic(history);
    axes(out);
    out << BitRate{most} << "</text>";
    line(history, "a", most, [](const History::Sample& sample) { return sample.delivered; }, out);
}

void plot_uplink(const History& history, Text& out)
{
    line(history, "b", most_traffic(history), [](const History::Sample& sample) { return sample.uplink; }, out);
    out << "</svg>";
}

void plot_cpu(const History& history, Text& out)
{
    const auto busy = [](const History::Sample& sample) { return sample.busy; };
    axes(out);
    out << "100 %</text>";
    area(history, "a", 1000, busy, out);
    line(history, "a", 1000, busy, out);
    out << "</svg>";
}

}  // namespace bulkhead::net
