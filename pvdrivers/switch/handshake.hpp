// SPDX-License-Identifier: BSD-2-Clause
// The back end's side of a card's way to "connected", over nodes of the store.
//
// A new life of the switch takes over what it finds connected on both sides, without touching a node.
// Everything else begins at InitWait. A front end may go (Closing, Closed) and come back (Initialising)
// as often as it likes, also without having gone.
// Source: xen/include/public/io/netif.h, io/xenbus.h.
#pragma once

#include "pvdrivers/switch/data_path.hpp"

#include <bulkhead/store.hpp>

#include <string>

extern "C" {
#include <xen/io/xenbus.h>
}

namespace bulkhead::net {

class Handshake {
public:
    Handshake(Vif& vif, DataPath& path, Journal& journal, Store& store);

    // Once in the switch's life, before the partition's: follows the front end's state.
    Result<> watch();
    // The partition is alive, in this life of its own.
    void begin(uint32_t life);
    // It is not alive any more. Nothing of it is mapped afterwards.
    void end();

    [[nodiscard]] Domain domain() const { return vif_.plan.domain; }
    [[nodiscard]] uint32_t life() const { return life_; }    // 0: not alive
    [[nodiscard]] XenbusState state() const { return state_; }

private:
    static void on_change(void* context, std::string_view path);
    void follow(XenbusState front);
    void reset();
    void disconnect();
    [[nodiscard]] Result<> connect(bool is_takeover);
    [[nodiscard]] Result<> connect_queue(uint32_t index, uint32_t count, bool is_takeover);
    [[nodiscard]] Result<> bind_events(Queue& queue, const std::string& base);
    [[nodiscard]] Abilities read_abilities();
    void read_group_filter();

    [[nodiscard]] XenbusState front_state() { return state_at(front_ + "/state"); }
    [[nodiscard]] XenbusState state_at(const std::string& path);
    [[nodiscard]] bool flag(const char* name, bool otherwise);
    void write(const char* name, std::string_view value);
    void set_state(XenbusState state);

    Vif& vif_;
    DataPath& path_;
    Journal& journal_;
    Store& store_;
    std::string front_;     // its folder in the store
    std::string own_;
    uint32_t life_ = 0;
    XenbusState state_ = XenbusStateUnknown;
};

}  // namespace bulkhead::net
