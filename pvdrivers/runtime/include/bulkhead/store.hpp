// SPDX-License-Identifier: BSD-2-Clause
// The store (XenStore): a small tree of texts that partitions and services find each other by. Paths that
// do not begin with / are below the partition's own /local/domain/N.
//
// All calls wait for the answer and run no handler meanwhile; a store that restarts makes them take longer,
// no more. The store belongs to the vCPU that opened it: handlers of watches run within waits there.
// Errors are the store's: XEN_ENOENT, XEN_EACCES, XEN_EAGAIN, ... Every call may also give XEN_E2BIG (more than a
// message holds, 4 KiB), XEN_ETIMEDOUT (no answer in time), XEN_EIO (the store closed the ring, or it is out of order).
// Source: xen/docs/misc/xenstore.txt.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>
#include <bulkhead/time.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

class StoreLink;

// A transaction, or none: then a call stands alone.
enum class Transaction : uint32_t { none = 0 };

// Who may do what with a node: the first of a list is the owner, and what all others may.
struct StorePermission {
    enum Rights : char { none = 'n', read = 'r', write = 'w', both = 'b' } rights;
    Domain domain;
};

// Called when something at or below the watched path has changed, and once at the start. The path is the
// one that changed, as the watch was spelled. It may call the store, and unwatch.
struct WatchHandler {
    void (*function)(void* context, std::string_view path) = nullptr;
    void* context = nullptr;
};
enum class Watch : uint32_t {};

class Store {
public:
    // The partition's store, connected by the first call. If a former life of this partition left an
    // exchange half done the ring is made afresh. XEN_ENODEV: the partition has none.
    [[nodiscard]] static Result<Store*> open();
    explicit Store(StoreLink& link) : link_(link) {}
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    [[nodiscard]] Result<std::string> read(std::string_view path, Transaction transaction = Transaction::none);
    // A decimal number. XEN_EINVAL: it is none, or has more than 64 bits.
    [[nodiscard]] Result<uint64_t> read_number(std::string_view path, Transaction transaction = Transaction::none);
    // The names of the children, however many.
    [[nodiscard]] Result<std::vector<std::string>> directory(std::string_view path,
                                                             Transaction transaction = Transaction::none);
    // Makes the node, and those above it, if need be.
    Result<> write(std::string_view path, std::string_view value, Transaction transaction = Transaction::none);
    Result<> write_number(std::string_view path, uint64_t value, Transaction transaction = Transaction::none);
    Result<> make_directory(std::string_view path, Transaction transaction = Transaction::none);
    // With all below it.
    Result<> remove(std::string_view path, Transaction transaction = Transaction::none);
    Result<> set_permissions(std::string_view path, std::span<const StorePermission> permissions,
                             Transaction transaction = Transaction::none);
    [[nodiscard]] Result<std::vector<StorePermission>> permissions(std::string_view path,
                                                                   Transaction transaction = Transaction::none);

    // Does the work, a callable with the transaction that gives Result<>, as one step: again if somebody
    // else's changes met it, not at all if it fails. XEN_EAGAIN: they met it too often.
    template <class Work>
    Result<> transact(Work work)
    {
        Result<> done = failure(XEN_EAGAIN);
        for (unsigned tries = 0; tries < most_tries && !done && done.error() == XEN_EAGAIN; ++tries) {
            const auto transaction = begin();
            if (!transaction)
                return failure(transaction.error());
            done = work(*transaction);
            const auto ended = end(*transaction, done.has_value());
            if (done)
                done = ended;
        }
        return done;
    }
    [[nodiscard]] Result<Transaction> begin();
    // XEN_EAGAIN: what it has read was changed by others, and nothing was done.
    Result<> end(Transaction transaction, bool commit);

    [[nodiscard]] Result<Watch> watch(std::string_view path, WatchHandler handler);
    // Its handler does not run any more.
    Result<> unwatch(Watch watch);

    // How long a call waits for its answer at most.
    void set_patience(Duration patience) { patience_ = patience; }
    // Begins anew on a ring that may hold half an exchange; watches are set again.
    Result<> reconnect();
    // What has come goes to the watches' handlers; the port's handler and tests call it.
    void deliver();

private:
    struct Watched {
        std::string path;
        WatchHandler handler;
        uint32_t number;        // Watch; 0: free
    };
    struct Event {
        std::string path;
        uint32_t watch;
    };
    static constexpr unsigned most_tries = 100;
    static constexpr size_t most_events = 256;

    using Parts = std::initializer_list<std::string_view>;
    Result<std::string> ask(uint32_t type, Transaction transaction, Parts parts);
    Result<> tell(uint32_t type, Transaction transaction, Parts parts);
    Result<> send(std::string_view bytes, Time deadline);
    Result<std::vector<std::string>> directory_in_parts(std::string_view path, Transaction transaction);
    Result<> set_watch(const Watched& watched);
    Result<> finish_reconnect();
    Result<> take_messages();
    bool take_bytes();
    void take_message(uint32_t type, uint32_t id, std::string_view payload);
    void take_event(std::string_view payload);
    Watched* watched(uint32_t number);
    Errno broken();

    StoreLink& link_;
    std::vector<Watched> watches_;
    std::vector<Event> events_;
    std::string inbox_;             // the beginning of a message
    std::string answer_;
    uint32_t answer_type_ = 0;      // XS_INVALID: not yet there
    uint32_t awaited_ = 0;
    uint32_t next_id_ = 1;
    uint32_t next_watch_ = 1;
    bool broken_ = false;           // half a message may be in the ring
    bool delivering_ = false;       // what is taken now goes to the handlers at once
    Duration patience_ = std::chrono::seconds(10);
};

}  // namespace bulkhead
