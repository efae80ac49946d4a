// SPDX-License-Identifier: BSD-2-Clause
// networks { }: each node is a switch, with what it is itself on its network and by which card it
// reaches out.
#include "boot/plan/part_fields.hpp"

#include "boot/plan/pci_words.hpp"
#include "boot/plan/readers.hpp"
#include "boot/plan/vif.hpp"

namespace bulkhead::tool {

namespace {

using N = NetworkModel;
constexpr uint64_t last_port = 65535;
constexpr size_t longest_host_name = 63;
constexpr size_t most_prefixes = 8;
constexpr std::string_view diagnosis_name = "diagnosis";

Outcome<void> read_address(const Property& property, N& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (words != "dhcp")
        if (const auto address = parse_ipv4_prefix(words); !address)
            return refuse("is ", Quoted{words}, "; such as \"10.0.0.1/24\", or \"dhcp\", is expected");
    target.address.state(std::move(words), property.at);
    return {};
}

Outcome<void> read_gateway(const Property& property, N& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (const auto address = parse_ipv4(words); !address)
        return refuse("is ", Quoted{words}, "; an IPv4 address such as \"10.0.0.254\" is expected");
    target.gateway.state(std::move(words), property.at);
    return {};
}

Outcome<void> read_ipv6(const Property& property, N& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (words != "slaac")
        if (const auto address = check_ipv6_prefix(words); !address)
            return refuse("is ", Quoted{words}, "; such as \"fd00::1/64\", or \"slaac\", is expected");
    target.ipv6.state(std::move(words), property.at);
    return {};
}

// A label of the domain name system, RFC 1123.
Outcome<void> read_host_name(const Property& property, N& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (words.empty() || words.size() > longest_host_name || !std::all_of(words.begin(), words.end(), allowed) ||
        words.front() == '-' || words.back() == '-')
        return refuse("is ", Quoted{words}, "; 1 to ", longest_host_name,
                      " letters, digits and '-' inside make one, such as \"box-1\"");
    target.host_name.state(std::move(words), property.at);
    return {};
}

Outcome<void> read_uplink(const Property& property, N& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (words != "none" && words != "first" && !parse_pci_address(words) && !parse_pci_ids(words))
        return refuse("is ", Quoted{words}, "; \"none\", \"first\", a PCI address such as \"00:03.0\" or a ",
                      "vendor and device such as \"8086:10d3\" is expected");
    target.uplink.state(std::move(words), property.at);
    return {};
}

Outcome<void> read_from(const Property& property, N& target, Report&)
{
    auto all = ATTEMPT(texts(property.value));
    if (all.size() > most_prefixes)
        return refuse("has ", all.size(), " prefixes; at most ", most_prefixes, " are possible");
    for (const auto& words : all)
        if (!parse_ipv4_prefix(words) && !check_ipv6_prefix(words))
            return refuse("has ", Quoted{words}, "; prefixes such as \"10.0.0.0/24\" or \"fd00::/64\" are expected");
    target.diagnosis_from.state(std::move(all), property.at);
    return {};
}

constexpr std::array network_fields{
    Field<N>{"address", read_address},
    Field<N>{"gateway", read_gateway},
    Field<N>{"ipv6", read_ipv6},
    Field<N>{"host-name", read_host_name},
    Field<N>{"mtu", read_number<&N::mtu, 576, 9000>},
    Field<N>{"uplink", read_uplink},
    Field<N>{"http", read_number<&N::http, 0, last_port>},
};
constexpr std::array diagnosis_fields{
    Field<N>{"port", read_number<&N::diagnosis_port, 1, last_port>},
    Field<N>{"from", read_from},
};
constexpr std::array<std::string_view, 1> network_children{diagnosis_name};

// Without a limit to who may ask there would be no port.
void read_diagnosis(const Node& node, N& network, Report& report)
{
    const auto what = sentence("diagnosis of network ", Quoted{network.name});
    read_fields<N>(node, what, diagnosis_fields, {}, network, report);
    check_children(node, what, {}, report);
    if (node.property("port") == nullptr)
        report.error(node.at, sentence(what, " has no \"port\"; such as port = <2323> is required"));
    if (node.property("from") == nullptr)
        report.error(node.at, sentence(what, " has no \"from\"; who may ask, such as from = \"10.0.0.0/24\", is required"));
}

void check_gateway(const N& network, Report& report)
{
    if (!network.gateway.stated)
        return;
    const auto& at = network.gateway.at;
    if (!network.address.stated || network.address.value == "dhcp") {
        report.error(at, sentence("gateway belongs to an address of its own network; ",
                                  network.address.stated ? "\"dhcp\" brings its own" : "the network has none"));
        return;
    }
    const auto prefix = parse_ipv4_prefix(network.address.value);
    const auto gateway = parse_ipv4(network.gateway.value);
    const uint32_t mask = prefix->length == 0 ? 0 : ~uint32_t{0} << (32 - prefix->length);
    if (((*gateway ^ prefix->address) & mask) != 0)
        report.error(at, sentence("gateway ", network.gateway.value, " is not on the network of ", network.address.value,
                                  "; it could not be reached"));
}

void check_host(const N& network, Report& report)
{
    if (has_host(network)) {
        if (network.diagnosis_port.stated && network.diagnosis_port.value == network.http.value)
            report.error(network.diagnosis_port.at, sentence("port ", network.http.value, " is that of the status page (http); ",
                                                             "choose another"));
        return;
    }
    const auto refuse_it = [&](const auto& stated, std::string_view name) {
        if (stated.stated)
            report.error(stated.at, sentence(name, " needs an address; such as address = \"10.0.0.1/24\" or \"dhcp\" ",
                                             "gives network ", Quoted{network.name}, " one"));
    };
    refuse_it(network.host_name, "host-name");
    refuse_it(network.http, "http");
    refuse_it(network.diagnosis_port, "diagnosis");
}

N read_network(const Node& node, Report& report)
{
    N network;
    network.at = node.at;
    network.name = node.name;
    const auto what = sentence("network ", Quoted{node.name});
    read_fields<N>(node, what, network_fields, {}, network, report);
    check_children(node, what, network_children, report);
    if (const auto checked = check_name(node.name); !checked)
        report.error(node.at, sentence("the network's name ", checked.error()));
    if (const Node* child = node.child(diagnosis_name))
        read_diagnosis(*child, network, report);
    check_gateway(network, report);
    check_host(network, report);
    return network;
}

}  // namespace

std::vector<NetworkModel> read_networks(const Node& node, Report& report)
{
    std::vector<N> networks;
    read_fields<std::vector<N>>(node, "networks", {}, {}, networks, report);
    for (const auto& child : node.children)
        networks.push_back(read_network(child, report));
    if (networks.size() > plan::max_networks)
        report.error(networks[plan::max_networks].at, sentence("the plan has ", networks.size(), " networks; at most ",
                                                               plan::max_networks, " are possible"));
    return networks;
}

}  // namespace bulkhead::tool
