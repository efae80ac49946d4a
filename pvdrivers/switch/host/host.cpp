// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/host.hpp"

#include "pvdrivers/switch/host/history.hpp"
#include "pvdrivers/switch/host/host_plan.hpp"
#include "pvdrivers/switch/host/http.hpp"

#include <bulkhead/console.hpp>

#include <algorithm>

#include <lwip/apps/mdns.h>
#include <lwip/dhcp.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>

namespace bulkhead::net {

namespace {

constexpr uint32_t dhcp_patience_s = 15;
constexpr uint32_t mdns_ttl_s = 120;
constexpr unsigned most_names = 9;      // that are tried when others have the same

using AddressText = std::array<char, IPADDR_STRLEN_MAX>;

class Host {
public:
    Result<> start(netif& card, const HostPlan& plan, HttpServer& http, DiagnosisServer& diagnosis);
    void each_second();
    void name_is_taken();
    [[nodiscard]] bool is_on(const netif& card) const { return card_ == &card; }

private:
    Result<> start_addresses();
    Result<> start_name();
    void watch_ipv4();
    void watch_ipv6();
    void say_where(const ip_addr_t& address);
    [[nodiscard]] const char* network() const { return network_.data(); }

    netif* card_ = nullptr;
    HostPlan plan_;
    DiagnosisServer::Access access_;
    // With an end, as lwIP and print() want it.
    std::array<char, 32> network_{};
    std::array<char, 64 + 2> host_name_{};
    uint32_t seconds_without_ = 0;      // an IPv4 address
    ip4_addr_t told_{};                 // the addresses that the console has been told of
    ip6_addr_t told6_{};
    unsigned names_tried_ = 1;
};

template <size_t room>
void copy_text(std::string_view text, std::array<char, room>& into)
{
    std::copy_n(text.begin(), std::min(text.size(), room - 1), into.begin());
}

Result<> Host::start(netif& card, const HostPlan& plan, HttpServer& http, DiagnosisServer& diagnosis)
{
    card_ = &card;
    plan_ = plan;
    access_.from = plan.from;
    access_.ranges = plan.ranges;
    copy_text(plan.network.view(), network_);
    copy_text(plan.host_name.view(), host_name_);
    if (const auto done = start_addresses(); !done)
        return done;
    if (const auto done = start_name(); !done)
        return done;
    if (plan_.http != 0 && !http.listen(card, plan_.http))
        return failure(XEN_ENOMEM);
    if (plan_.diagnosis != 0 && !diagnosis.listen(card, plan_.diagnosis, access_))
        return failure(XEN_ENOMEM);
    return {};
}

Result<> Host::start_addresses()
{
    if (host_name_[0] != '\0')
        netif_set_hostname(card_, host_name_.data());
    if (plan_.ipv6 != HostPlan::Source::none) {
        netif_create_ip6_linklocal_address(card_, 1);
        netif_set_ip6_autoconfig_enabled(card_, plan_.ipv6 == HostPlan::Source::automatic);
        s8_t index = 0;
        if (plan_.ipv6 == HostPlan::Source::fixed && netif_add_ip6_address(card_, &plan_.address6, &index) != ERR_OK)
            return failure(XEN_ENOMEM);
    }
    if (plan_.ipv4 == HostPlan::Source::fixed)
        netif_set_addr(card_, &plan_.address, &plan_.mask, &plan_.gateway);
    else if (plan_.ipv4 == HostPlan::Source::automatic && dhcp_start(card_) != ERR_OK)
        return failure(XEN_ENOMEM);
    return {};
}

Result<> Host::start_name()
{
    if (host_name_[0] == '\0')
        return {};
    if (mdns_resp_add_netif(card_, host_name_.data(), mdns_ttl_s) != ERR_OK)
        return failure(XEN_ENOMEM);
    if (plan_.http != 0 && mdns_resp_add_service(card_, host_name_.data(), "_http", DNSSD_PROTO_TCP, plan_.http, mdns_ttl_s,
                                                 nullptr, nullptr) < 0)
        return failure(XEN_ENOMEM);
    return {};
}

void Host::name_is_taken()
{
    if (names_tried_ == most_names) {
        print("network %s: the name %s.local and %u like it are taken; the switch has no name there\n", network(),
              host_name_.data(), most_names - 1);
        ++names_tried_;
    }
    if (names_tried_ > most_names)
        return;
    std::array<char, 64> name{};
    // Room for the number, whatever the name's length.
    const std::string_view base = plan_.host_name.view().substr(0, 61);
    copy_text(base, name);
    name[base.size()] = '-';
    name[base.size() + 1] = static_cast<char>('0' + ++names_tried_);
    if (names_tried_ == 2)
        print("network %s: the name %s.local is taken; trying %s.local\n", network(), host_name_.data(), name.data());
    mdns_resp_rename_netif(card_, name.data());
}

void Host::each_second()
{
    watch_ipv4();
    watch_ipv6();
}

void Host::say_where(const ip_addr_t& address)
{
    AddressText text{};
    ipaddr_ntoa_r(&address, text.data(), text.size());
    // lwIP writes capitals; Source: RFC 5952, "Lowercase".
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 'a' - 'A') : c; });
    const bool brackets = IP_IS_V6_VAL(address);
    std::array<char, 8> port{};
    if (plan_.http != 80)
        (void)(Text(std::span(port).first(port.size() - 1)) << ':' << plan_.http);
    if (plan_.http == 0)
        print("network %s: the switch is %s\n", network(), text.data());
    else
        print("network %s: the switch is %s, status page http://%s%s%s%s/\n", network(), text.data(), brackets ? "[" : "",
              text.data(), brackets ? "]" : "", port.data());
}

void Host::watch_ipv4()
{
    if (plan_.ipv4 == HostPlan::Source::none)
        return;
    const ip4_addr_t now = *netif_ip4_addr(card_);
    if (ip4_addr_isany_val(now)) {
        if (!ip4_addr_isany_val(told_)) {
            print("network %s: the DHCP lease has ended; still asking for one\n", network());
            seconds_without_ = dhcp_patience_s;
        }
        // Once for each time without an address.
        if (++seconds_without_ == dhcp_patience_s)
            print("network %s: no DHCP server answers; still asking\n", network());
    } else {
        seconds_without_ = 0;
        if (!ip4_addr_cmp(&now, &told_))
            say_where(*netif_ip_addr4(card_));
    }
    told_ = now;
}

// The first address that is not only the link's.
void Host::watch_ipv6()
{
    for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; ++i) {
        const ip6_addr_t& now = *netif_ip6_addr(card_, i);
        if (!ip6_addr_isvalid(netif_ip6_addr_state(card_, i)) || ip6_addr_islinklocal(&now))
            continue;
        if (!ip6_addr_cmp(&now, &told6_))
            say_where(*netif_ip_addr6(card_, i));
        told6_ = now;
        return;
    }
}

// All hosts, and what they share.
class Hosts {
public:
    Hosts(const Figures& figures, const Box& box)
        : sources_{figures, box, history_, counters_}, http_(sources_, counters_), diagnosis_(sources_, counters_)
    {
    }
    void start()
    {
        mdns_resp_init();
        mdns_resp_register_name_result_cb(on_name_result);
        on_second(this);
    }
    Result<> add(netif& card, const HostPlan& plan)
    {
        if (count_ == hosts_.size())
            return failure(XEN_ENOSPC);
        return hosts_[count_++].start(card, plan, http_, diagnosis_);
    }
    void name_is_taken(const netif& card)
    {
        for (Host& host : hosts())
            if (host.is_on(card))
                host.name_is_taken();
    }

private:
    std::span<Host> hosts() { return {hosts_.data(), count_}; }
    static void on_name_result(netif* card, u8_t result);
    static void on_second(void* argument)
    {
        auto& self = *static_cast<Hosts*>(argument);
        if (self.seconds_++ % History::interval_s == 0)
            self.history_.sample(self.sources_.figures, self.sources_.box, self.sources_.box.box().uptime_ns);
        for (Host& host : self.hosts())
            host.each_second();
        sys_timeout(1000, on_second, argument);
    }

    History history_;
    HostCounters counters_;
    Sources sources_;
    HttpServer http_;
    DiagnosisServer diagnosis_;
    std::array<Host, most_hosts> hosts_{};
    size_t count_ = 0;
    uint32_t seconds_ = 0;
};

Hosts* all_hosts = nullptr;

void Hosts::on_name_result(netif* card, u8_t result)
{
    if (result == MDNS_PROBING_CONFLICT)
        all_hosts->name_is_taken(*card);
}

}  // namespace

void start_hosts(const Figures& figures, const Box& box)
{
    static Hosts hosts(figures, box);
    all_hosts = &hosts;
    hosts.start();
}

Result<> add_host(netif& card, SliceNode network)
{
    const auto plan = read_host_plan(network);
    const std::string_view name = network.name();
    if (!plan) {
        print("network %.*s: the switch cannot use what the plan says of %s\n", static_cast<int>(name.size()), name.data(),
              plan.error());
        return failure(XEN_EINVAL);
    }
    if (!plan->exists())
        return {};
    const auto done = all_hosts->add(card, *plan);
    if (!done)
        print("network %.*s: the switch's own host cannot be started: %s\n", static_cast<int>(name.size()), name.data(),
              name_of(done.error()));
    return done;
}

}  // namespace bulkhead::net
