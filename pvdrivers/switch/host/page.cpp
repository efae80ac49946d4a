// SPDX-License-Identifier: BSD-2-Clause
// The status page. One document of its own: no script, nothing from elsewhere, and it reloads itself.
// Everything that did not begin as a text of this file is written as Html{}.
#include "pvdrivers/switch/host/history.hpp"
#include "pvdrivers/switch/host/plot.hpp"
#include "pvdrivers/switch/host/sources.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

constexpr std::string_view head_begin =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta http-equiv=\"refresh\" content=\"10\"><meta name=\"color-scheme\" content=\"light dark\">"
    "<link rel=\"icon\" href=\"data:,\"><style>"
    ":root{--bg:#f3f5f7;--card:#fff;--ink:#18222c;--soft:#5b6875;--line:#dde3e8;--good:#1a7f4b;--warn:#a15c00;--bad:#b3261e;"
    "--a:#1763a6;--b:#c8791b;--bar:#e6ebef}"
    "@media(prefers-color-scheme:dark){:root{--bg:#10161c;--card:#18212a;--ink:#e4eaf0;--soft:#94a3b1;--line:#2a3641;"
    "--good:#4cc38a;--warn:#e0a84e;--bad:#f2786f;--a:#6cb0f0;--b:#e9a556;--bar:#26323d}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);"
    "font:15px/1.45 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}"
    "header{background:#16232f;color:#fff;padding:14px 20px;border-bottom:3px solid #c8791b}"
    "header h1{margin:0;font-size:19px;font-weight:600}header p{margin:2px 0 0;color:#b4c2cf;font-size:13px}"
    "main{max-width:1120px;margin:0 auto;padding:16px 20px 28px}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}"
    ".card,.tiles>div{background:var(--card);border:1px solid var(--line);border-radius:6px}.tiles>div{padding:10px 14px}"
    ".tiles b{display:block;font-size:21px;font-weight:600;font-variant-numeric:tabular-nums}"
    ".tiles span,.note{color:var(--soft);font-size:13px}";
constexpr std::string_view head_end =
    "h2{font-size:15px;margin:24px 0 8px}h2 small{font-weight:400;color:var(--soft);margin-left:8px}"
    ".card{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th{font-size:12px;font-weight:600;color:var(--soft);text-align:left}th small{display:block;font-weight:400}"
    "th,td{padding:7px 12px;border-bottom:1px solid var(--line);white-space:nowrap}"
    "tbody tr:last-child td{border-bottom:0}.n{text-align:right}td small{color:var(--soft);display:block}"
    ".m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px}"
    ".s::before{content:\"\";display:inline-block;width:8px;height:8px;border-radius:50%;margin-right:7px;background:var(--soft)}"
    ".good::before{background:var(--good)}.warn::before{background:var(--warn)}.bad::before{background:var(--bad)}"
    ".why td{padding-top:0;color:var(--bad);font-size:13px;white-space:normal}.why span{margin-right:18px}.no td{border-bottom:0}"
    ".bar{display:inline-block;width:72px;height:7px;border-radius:4px;background:var(--bar);overflow:hidden;margin-right:8px}"
    ".bar i{display:block;height:100%;background:var(--a)}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(290px,1fr));gap:12px;margin-top:12px}"
    ".plots figure{margin:0;padding:10px 14px}figcaption{font-size:13px;color:var(--soft)}"
    "svg{display:block;width:100%;height:auto;margin-top:6px}.g{stroke:var(--line)}.ax{fill:var(--soft);font-size:11px}"
    ".la{stroke:var(--a)}.lb{stroke:var(--b)}.fa{fill:var(--a);opacity:.14}.ka{color:var(--a)}.kb{color:var(--b)}"
    "footer{color:var(--soft);font-size:13px;margin-top:24px}a{color:var(--a)}"
    "@media(max-width:640px){main{padding:12px}th,td{padding:6px 9px}.w{display:none}}"
    "</style>";

// No short row of a table is longer.
constexpr size_t row_bytes = 1024;

std::string_view colour_of(uint8_t state)
{
    const std::string_view name = state_name(state);
    return name == "running" ? "good" : name == "crashed" ? "bad" : is_alive(state) || name == "building" ? "warn" : "";
}

Text& percent(Text& out, uint32_t thousandths) { return out << Decimal{thousandths, 1, 1} << "&nbsp;%"; }

// --- The top ------------------------------------------------------------------

bool top(const Sources& sources, Cursor& cursor, Text& out)
{
    switch (cursor.item++) {
    case 0: out << head_begin; return true;
    case 1: out << head_end; return true;
    default: break;
    }
    const BoxFigures box = sources.box.box();
    out << "<title>" << Html{box.model.view()} << " - Bulkhead</title></head><body><header><h1>" << Html{box.model.view()}
        << "</h1><p>Bulkhead " << Html{box.version.view()} << ", up for " << Span{box.uptime_ns / 1'000'000'000}
        << "</p></header><main>";
    return false;
}

void tile(Text& out, std::string_view what)
{
    out << "</b><span>" << what << "</span></div>";
}

bool tiles(const Sources& sources, Cursor&, Text& out)
{
    const BoxFigures box = sources.box.box();
    uint32_t running = 0;
    uint32_t total = 0;
    for (PartitionFigures partition; total < box.partitions && sources.box.partition(total, partition); ++total)
        running += state_name(partition.state) == "running";
    uint32_t uplinks = 0;
    uint32_t up = 0;
    for (size_t i = 0; i < sources.figures.ports(); ++i)
        if (const PortFigures port = sources.figures.port(i); port.kind == PortKind::uplink) {
            ++uplinks;
            up += port.up;
        }
    const History::Sample now = sources.history.latest();
    out << "<div class=\"tiles\"><div><b>" << running << " of " << total;
    tile(out, "partitions running");
    percent(out << "<div><b>", now.busy);
    tile(out, "CPU time in use");
    out << "<div><b>" << BitRate{now.delivered};
    tile(out, "delivered by the switch");
    out << "<div><b>";
    if (uplinks == 0)
        out << "none";
    else
        out << up << " of " << uplinks << " up";
    tile(out, "uplinks");
    out << "</div>";
    return false;
}

bool plots(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item == 0)
        out << "<div class=\"plots\"><figure class=\"card\"><figcaption>Traffic: <b class=\"ka\">delivered by the switch</b>, "
               "<b class=\"kb\">through uplinks</b></figcaption>";
    if (cursor.item == 2)
        out << "</figure><figure class=\"card\"><figcaption>CPU: <b class=\"ka\">in use</b>, all CPUs together</figcaption>";
    switch (cursor.item++) {
    case 0: plot_traffic(sources.history, out); return true;
    case 1: plot_uplink(sources.history, out); return true;
    default: plot_cpu(sources.history, out); out << "</figure></div>"; return false;
    }
}

// --- Partitions ----------------------------------------------------------------

void partition_row(const PartitionFigures& partition, uint32_t share, Text& out)
{
    const uint32_t of_its_own = share / std::max<uint32_t>(partition.vcpus, 1);
    out << "<tr><td><b>" << Html{partition.name.view()} << "</b><small>" << Html{partition.type.view()} << "</small></td>"
        << "<td class=\"s " << colour_of(partition.state) << "\">" << state_name(partition.state) << "</td><td>"
        << "<span class=\"bar\"><i style=\"width:" << std::min<uint32_t>(of_its_own / 10, 100) << "%\"></i></span>";
    percent(out, share) << "</td><td class=\"n w\">" << Decimal{partition.cpu_ns, 9, 1} << "&nbsp;s</td><td class=\"n\">"
        << Bytes{partition.memory_bytes} << "</td><td class=\"n w\">" << partition.vcpus << "</td><td class=\"n\">"
        << partition.lives << "</td><td class=\"n\">" << partition.crashes << "</td></tr>";
}

bool partitions(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item == 0)
        out << "<h2>Partitions<small>over the last 3 seconds; 100 % is one CPU</small></h2><div class=\"card\"><table>"
               "<thead><tr><th>Name</th><th>State</th><th>CPU</th><th class=\"n w\">CPU time</th><th class=\"n\">Memory</th>"
               "<th class=\"n w\">vCPUs</th><th class=\"n\">Lives</th><th class=\"n\">Crashes</th></tr></thead><tbody>";
    PartitionFigures partition;
    if (sources.box.partition(cursor.item, partition)) {
        partition_row(partition, sources.history.share(cursor.item), out);
        ++cursor.item;
        return true;
    }
    out << "</tbody></table></div>";
    return false;
}

// --- Networks --------------------------------------------------------------------

void port_row(const PortFigures& port, const History::Rate& rate, bool reasons_follow, Text& out)
{
    const auto traffic = [&](const Traffic& total, uint64_t bits) {
        out << "<td class=\"n\">" << BitRate{bits} << "<small>" << Bytes{total.bytes} << ", " << total.frames << "</small></td>";
    };
    out << (reasons_follow ? "<tr class=\"no\">" : "<tr>") << "<td><b>" << Html{port.name} << "</b><small>";
    if (port.kind == PortKind::vif) {
        out << port.queues << (port.queues == 1 ? " queue" : " queues");
        if (port.vlan != 0)
            out << ", VLAN " << port.vlan;
        if (port.isolated)
            out << ", isolated";
        if (port.rate_bytes_per_second != 0)
            out << ", at most " << BitRate{port.rate_bytes_per_second * 8};
    } else if (port.kind == PortKind::uplink) {
        out << (port.driver.empty() ? "no card for " : "") << Html{port.driver} << ' ' << Html{port.device};
    } else {
        out << "the switch's own";
    }
    out << "</small></td><td class=\"s " << (port.up ? "good" : port.kind == PortKind::uplink ? "bad" : "") << "\">"
        << Html{port.state};
    if (port.up && port.link_mbits != 0)
        out << "<small>" << port.link_mbits << " Mbit/s</small>";
    out << "</td><td class=\"m w\">" << Mac{port.mac} << "</td>";
    traffic(port.in, rate.in);
    traffic(port.out, rate.out);
    uint64_t dropped = 0;
    for (const uint64_t count : port.counters)
        dropped += count;
    out << "<td class=\"n\">" << dropped << "</td></tr>";
}

bool is_counting(const PortFigures& port)
{
    return std::ranges::any_of(port.counters, [](uint64_t count) { return count != 0; });
}

// Some counters of the port that are not zero. The cursor's position is the next one. False: no more.
bool reasons(const Sources& sources, const PortFigures& port, Cursor& cursor, Text& out)
{
    const auto names = sources.figures.counter_names();
    const size_t count = std::min(names.size(), port.counters.size());
    for (; cursor.position < count && out.left() > row_bytes; ++cursor.position)
        if (const uint64_t value = port.counters[cursor.position]; value != 0)
            out << "<span>" << Html{names[cursor.position].text} << ":&nbsp;" << value << "</span> ";
    return cursor.position < count;
}

void network_head(const Sources& sources, std::string_view name, Text& out)
{
    NetworkFigures network;
    for (size_t i = 0; i < sources.figures.networks(); ++i)
        if (network = sources.figures.network(i); network.name == name)
            break;
    out << "<h2>Network " << Html{name} << "<small>MTU " << network.mtu << ", " << network.fdb_entries << " of "
        << network.fdb_limit
        << " addresses known</small></h2><div class=\"card\"><table><thead><tr><th>Port</th><th>State</th>"
           "<th class=\"w\">Address</th><th class=\"n\">From it<small>total, frames</small></th>"
           "<th class=\"n\">To it<small>total, frames</small></th><th class=\"n\">Dropped</th></tr></thead><tbody>";
}

// An item is a port's row, or some of the reasons below it; the cursor's position counts reasons from 1
// on then.
bool networks(const Sources& sources, Cursor& cursor, Text& out)
{
    const size_t ports = sources.figures.ports();
    if (cursor.item >= ports) {
        if (ports != 0)
            out << "</tbody></table></div>";
        return false;
    }
    const PortFigures port = sources.figures.port(cursor.item);
    if (cursor.subject == 0) {
        if (cursor.item == 0 || sources.figures.port(cursor.item - 1).network != port.network) {
            if (cursor.item != 0)
                out << "</tbody></table></div>";
            network_head(sources, port.network, out);
        }
        const bool counting = is_counting(port);
        port_row(port, sources.history.rate(cursor.item), counting, out);
        cursor.position = 0;
        cursor.subject = counting;
        cursor.item += !counting;
        return true;
    }
    if (cursor.position == 0)
        out << "<tr class=\"why\"><td colspan=\"6\">";
    if (!reasons(sources, port, cursor, out)) {
        out << "</td></tr>";
        cursor.subject = 0;
        ++cursor.item;
    }
    return true;
}

// --- Addresses --------------------------------------------------------------------

bool addresses(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item++ == 0)
        out << "<h2>Addresses<small>what the switch has learned, and what the plan fixes</small></h2><div class=\"card\"><table>"
               "<thead><tr><th>Address</th><th>Network</th><th>Port</th><th class=\"n\">VLAN</th><th class=\"n\">Age</th></tr>"
               "</thead><tbody>";
    while (out.left() > row_bytes) {
        FdbFigures entry;
        const size_t next = sources.figures.next_fdb(cursor.position, entry);
        if (next == 0) {
            out << "</tbody></table></div>";
            return false;
        }
        cursor.position = next;
        out << "<tr><td class=\"m\">" << Mac{entry.mac} << "</td><td>" << Html{entry.network} << "</td><td>"
            << Html{entry.port} << "</td><td class=\"n\">";
        if (entry.vlan != 0)
            out << entry.vlan;
        out << "</td><td class=\"n\">";
        if (entry.fixed)
            out << "fixed";
        else
            out << entry.age_s << "&nbsp;s";
        out << "</td></tr>";
    }
    return true;
}

bool bottom(const Sources&, Cursor&, Text& out)
{
    out << "<footer>The same figures for machines: <a href=\"/metrics\">/metrics</a>. Read-only; this page reloads itself every "
           "10 seconds.</footer></main></body></html>\n";
    return false;
}

using Section = bool (*)(const Sources&, Cursor&, Text&);   // false: that was its last item
constexpr Section sections[] = {top, tiles, plots, partitions, networks, addresses, bottom};

}  // namespace

bool render_page(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.section >= std::size(sections))
        return false;
    if (!sections[cursor.section](sources, cursor, out))
        cursor.next_section();
    return true;
}

}  // namespace bulkhead::net
