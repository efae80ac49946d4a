// SPDX-License-Identifier: BSD-2-Clause
// A store with some clients. The clients speak through their rings only, as a guest does, and take
// their events from the same stream as their answers.
#pragma once

#include "pvdrivers/store/server.hpp"

#include "pvdrivers/store/check.hpp"
#include "pvdrivers/store/path.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead::store {

using namespace std::string_literals;

struct Answer {
    uint32_t type;
    std::string text;

    // The error's name, or nothing.
    [[nodiscard]] std::string error() const { return type == XS_ERROR ? std::string(text.c_str()) : ""s; }
};

struct Event {
    std::string path;
    std::string token;

    bool operator==(const Event&) const = default;
};

class FakeClient {
public:
    xenstore_domain_interface ring{};
    std::vector<Event> events;
    std::vector<Answer> answers;
    std::string sent_to_ring;   // still to be put there
    uint32_t notifications = 0;
    uint32_t next_id = 1;
    bool reads = true;

    static std::string message(uint32_t type, uint32_t id, uint32_t transaction, std::string_view payload)
    {
        const xsd_sockmsg head = {type, id, transaction, static_cast<uint32_t>(payload.size())};
        return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + std::string(payload);
    }
    void send(uint32_t type, std::string_view payload, uint32_t transaction = 0)
    {
        sent_to_ring += message(type, next_id++, transaction, payload);
    }
    // Puts into the ring what fits.
    void push()
    {
        size_t room = XENSTORE_RING_SIZE - (ring.req_prod - ring.req_cons);
        const size_t now = std::min(room, sent_to_ring.size());
        for (size_t i = 0; i < now; ++i)
            ring.req[MASK_XENSTORE_IDX(ring.req_prod++)] = sent_to_ring[i];
        sent_to_ring.erase(0, now);
    }
    // Takes what is there.
    void pull()
    {
        while (reads && ring.rsp_cons != ring.rsp_prod)
            received_ += ring.rsp[MASK_XENSTORE_IDX(ring.rsp_cons++)];
        xsd_sockmsg head;
        while (received_.size() >= sizeof(head)) {
            std::memcpy(&head, received_.data(), sizeof(head));
            if (received_.size() < sizeof(head) + head.len)
                return;
            const std::string payload = received_.substr(sizeof(head), head.len);
            received_.erase(0, sizeof(head) + head.len);
            if (head.type == XS_WATCH_EVENT) {
                const size_t end = payload.find('\0');
                events.push_back({payload.substr(0, end), payload.substr(end + 1, payload.size() - end - 2)});
            } else {
                answers.push_back({head.type, payload});
            }
        }
    }
    [[nodiscard]] bool is_idle() const { return sent_to_ring.empty() && received_.empty(); }
    std::vector<Event> take_events() { return std::exchange(events, {}); }

private:
    std::string received_;
};

class StoreBox : public Surroundings {
public:
    static constexpr size_t default_bytes = 2 << 20;

    explicit StoreBox(size_t clients = 3, size_t bytes = default_bytes, std::string_view nodes = {})
        : bytes_(bytes), memory_(static_cast<uint8_t*>(std::aligned_alloc(4096, bytes)), &std::free), nodes_(nodes)
    {
        std::memset(memory_.get(), 0, bytes);
        for (uint32_t i = 0; i < clients; ++i) {
            own_nodes_.push_back("\0n0,r"s + std::to_string(i + 1) + "\0\0"s + "data\0n"s + std::to_string(i + 1) + "\0\0"s +
                                 "name\0n0,r"s + std::to_string(i + 1) + "\0guest"s + std::to_string(i + 1) + "\0"s);
            names_.push_back("guest" + std::to_string(i + 1));
        }
        for (uint32_t i = 0; i < clients; ++i) {
            plans.push_back({.domain = i + 1, .flags = 0, .name = names_[i], .quota = default_quota(), .nodes = own_nodes_[i]});
            guests.push_back(std::make_unique<FakeClient>());
            lives.push_back(1);
        }
    }

    // A life of the store begins: the first, or the next over what the last left.
    void start()
    {
        server.reset();
        region = std::make_unique<Region>(memory_.get(), bytes_);
        server = std::make_unique<Server>(*region, plans, nodes_, *this);
        entered = server->enter(0x1234567);
        for (uint32_t i = 0; entered && i < guests.size(); ++i) {
            if (lives[i] != 0)
                server->begin_life(i, lives[i], &guests[i]->ring);
        }
    }
    void notify(uint32_t client) override { ++guests[client]->notifications; }
    void report(std::string_view text) override { reports.emplace_back(text); }

    // Until nothing moves any more.
    void settle()
    {
        for (;;) {
            uint32_t before = 0;
            for (const auto& guest : guests)
                before += guest->ring.req_cons + guest->ring.rsp_prod + guest->ring.req_prod + guest->ring.rsp_cons;
            for (const auto& guest : guests)
                guest->push();
            const bool more = server->turn();
            uint32_t after = 0;
            for (const auto& guest : guests) {
                guest->pull();
                after += guest->ring.req_cons + guest->ring.rsp_prod + guest->ring.req_prod + guest->ring.rsp_cons;
            }
            if (!more && before == after)
                return;
        }
    }
    Answer ask(uint32_t client, uint32_t type, std::string_view payload, uint32_t transaction = 0)
    {
        FakeClient& guest = *guests[client];
        guest.answers.clear();
        guest.send(type, payload, transaction);
        settle();
        if (guest.answers.size() != 1)
            return {XS_INVALID, "no answer"};
        return guest.answers[0];
    }
    // Of strings: the error, or nothing.
    std::string write(uint32_t client, std::string_view path, std::string_view value, uint32_t transaction = 0)
    {
        return ask(client, XS_WRITE, std::string(path) + "\0"s + std::string(value), transaction).error();
    }
    std::string read(uint32_t client, std::string_view path, uint32_t transaction = 0)
    {
        return ask(client, XS_READ, std::string(path) + "\0"s, transaction).text.c_str();
    }
    std::string list(uint32_t client, std::string_view path, uint32_t transaction = 0)
    {
        std::string text = ask(client, XS_DIRECTORY, std::string(path) + "\0"s, transaction).text;
        std::replace(text.begin(), text.end(), '\0', ' ');
        return text;
    }
    std::string watch(uint32_t client, std::string_view path, std::string_view token)
    {
        return ask(client, XS_WATCH, std::string(path) + "\0"s + std::string(token) + "\0"s).error();
    }
    uint32_t begin(uint32_t client)
    {
        return static_cast<uint32_t>(std::strtoul(ask(client, XS_TRANSACTION_START, "\0"s).text.c_str(), nullptr, 10));
    }
    std::string end(uint32_t client, uint32_t transaction, bool commit = true)
    {
        return ask(client, XS_TRANSACTION_END, commit ? "T\0"s : "F\0"s, transaction).error();
    }
    std::string set_permissions(uint32_t client, std::string_view path, std::string permissions, uint32_t transaction = 0)
    {
        std::replace(permissions.begin(), permissions.end(), ',', '\0');
        return ask(client, XS_SET_PERMS, std::string(path) + "\0"s + permissions + "\0"s, transaction).error();
    }
    std::string permissions(uint32_t client, std::string_view path, uint32_t transaction = 0)
    {
        std::string text = ask(client, XS_GET_PERMS, std::string(path) + "\0"s, transaction).text;
        std::replace(text.begin(), text.end(), '\0', ' ');
        return text;
    }
    std::string problem() { const char* text = check(*region); return text != nullptr ? text : ""; }
    uint8_t* memory() { return memory_.get(); }

    std::vector<ClientPlan> plans;
    std::vector<std::unique_ptr<FakeClient>> guests;
    std::vector<uint32_t> lives;          // 0: the partition does not run
    std::vector<std::string> reports;
    std::unique_ptr<Region> region;
    std::unique_ptr<Server> server;
    bool entered = false;

private:
    size_t bytes_;
    std::unique_ptr<uint8_t, void (*)(void*)> memory_;
    std::string nodes_;
    std::vector<std::string> own_nodes_;
    std::vector<std::string> names_;
};

}  // namespace bulkhead::store
