// SPDX-License-Identifier: BSD-2-Clause
// Messages of the store's client through its ring. The store is trusted to be itself, not to be free of
// faults: positions and lengths are checked.
// Source: xen/include/public/io/xs_wire.h; xen/docs/misc/xenstore-ring.txt.
#include "pvdrivers/runtime/store_link.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace bulkhead {

namespace {

uint32_t read_once(uint32_t& position) { return std::atomic_ref(position).load(std::memory_order_acquire); }
void show(uint32_t& position, uint32_t value) { std::atomic_ref(position).store(value, std::memory_order_release); }

// The errnos that a store answers with, by name.
Errno errno_of(std::string_view name)
{
    constexpr std::array answers{XEN_EINVAL, XEN_EACCES,    XEN_EEXIST, XEN_EISDIR, XEN_ENOENT, XEN_ENOMEM,
                               XEN_ENOSPC, XEN_EIO,       XEN_ENOTEMPTY, XEN_ENOSYS, XEN_EROFS, XEN_EBUSY,
                               XEN_EAGAIN, XEN_EISCONN,   XEN_E2BIG,  XEN_EPERM};
    name = name.substr(0, name.find('\0'));
    for (const Errno error : answers)
        if (name == name_of(error))
            return error;
    return XEN_EINVAL;
}

}  // namespace

Errno Store::broken()
{
    broken_ = true;
    return XEN_EIO;
}

// One message, its parts put together by the ring. An answer that comes after its time is dropped.
Result<std::string> Store::ask(uint32_t type, Transaction transaction, Parts parts)
{
    if (broken_) {
        if (const auto done = reconnect(); !done)
            return failure(done.error());
    }
    size_t bytes = 0;
    for (const std::string_view part : parts)
        bytes += part.size();
    if (bytes > XENSTORE_PAYLOAD_MAX)
        return failure(XEN_E2BIG);
    const Time deadline = link_.now() + patience_;
    const xsd_sockmsg head = {type, next_id_++, static_cast<uint32_t>(transaction), static_cast<uint32_t>(bytes)};
    awaited_ = head.req_id;
    answer_type_ = XS_INVALID;
    Result<> done = send({reinterpret_cast<const char*>(&head), sizeof(head)}, deadline);
    for (auto part = parts.begin(); done && part != parts.end(); ++part)
        done = send(*part, deadline);
    if (!done) {
        broken_ = true;                 // half a message is in the ring
        return failure(done.error());
    }
    link_.notify();
    while (answer_type_ == XS_INVALID) {
        if (const auto taken = take_messages(); !taken)
            return failure(taken.error());
        if (answer_type_ == XS_INVALID && !link_.wait(deadline))
            return failure(XEN_ETIMEDOUT);
    }
    awaited_ = 0;
    if (answer_type_ == XS_ERROR)
        return failure(errno_of(answer_));
    if (answer_type_ != type)
        return failure(broken());
    return std::move(answer_);
}

// Waits while the ring is full, and takes answers meanwhile: the store takes no requests of who does not.
Result<> Store::send(std::string_view bytes, Time deadline)
{
    xenstore_domain_interface& ring = link_.ring();
    while (!bytes.empty()) {
        const uint32_t put = ring.req_prod;
        const uint32_t used = put - read_once(ring.req_cons);
        if (used > XENSTORE_RING_SIZE)
            return failure(broken());
        if (used == XENSTORE_RING_SIZE) {
            link_.notify();
            if (const auto taken = take_messages(); !taken)
                return taken;
            if (!link_.wait(deadline))
                return failure(XEN_ETIMEDOUT);
            continue;
        }
        const uint32_t at = MASK_XENSTORE_IDX(put);
        const size_t now = std::min<size_t>({bytes.size(), XENSTORE_RING_SIZE - used, XENSTORE_RING_SIZE - at});
        std::memcpy(ring.req + at, bytes.data(), now);
        show(ring.req_prod, put + static_cast<uint32_t>(now));
        bytes.remove_prefix(now);
    }
    return {};
}

// Moves what has come into the inbox. False: the ring cannot be right.
bool Store::take_bytes()
{
    xenstore_domain_interface& ring = link_.ring();
    for (;;) {
        const uint32_t taken = ring.rsp_cons;
        const uint32_t there = read_once(ring.rsp_prod) - taken;
        if (there > XENSTORE_RING_SIZE)
            return false;
        if (there == 0)
            return true;
        const uint32_t at = MASK_XENSTORE_IDX(taken);
        const uint32_t now = std::min(there, XENSTORE_RING_SIZE - at);
        inbox_.append(ring.rsp + at, now);
        show(ring.rsp_cons, taken + now);
        // Who found the ring full waits to hear of room; read again behind saying that there is some.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (read_once(ring.rsp_prod) - taken >= XENSTORE_RING_SIZE)
            link_.notify();
        // Messages are taken out as they become whole, so the inbox stays small.
        if (inbox_.size() >= sizeof(xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
            return true;
    }
}

Result<> Store::take_messages()
{
    for (;;) {
        const size_t before = inbox_.size();
        if (broken_ || !take_bytes())
            return failure(broken());
        size_t at = 0;
        xsd_sockmsg head;
        while (inbox_.size() - at >= sizeof(head)) {
            std::memcpy(&head, inbox_.data() + at, sizeof(head));
            if (head.len > XENSTORE_PAYLOAD_MAX)
                return failure(broken());
            if (inbox_.size() - at < sizeof(head) + head.len)
                break;
            take_message(head.type, head.req_id, std::string_view(inbox_).substr(at + sizeof(head), head.len));
            at += sizeof(head) + head.len;
        }
        inbox_.erase(0, at);
        if (at == 0 && inbox_.size() == before)
            break;
    }
    const bool says_errors = (read_once(link_.ring().server_features) & XENSTORE_SERVER_FEATURE_ERROR) != 0;
    if (says_errors && read_once(link_.ring().error) != XENSTORE_ERROR_NONE)
        return failure(broken());
    return {};
}

void Store::take_message(uint32_t type, uint32_t id, std::string_view payload)
{
    if (type == XS_WATCH_EVENT) {
        take_event(payload);
    } else if (id == awaited_ && awaited_ != 0) {
        answer_type_ = type;
        answer_.assign(payload);
    }
}

// Where the store cannot do it, what lies in the ring is skipped: answers of a former life are
// dropped as late ones are.
Result<> Store::reconnect()
{
    xenstore_domain_interface& ring = link_.ring();
    inbox_.clear();
    if ((read_once(ring.server_features) & XENSTORE_SERVER_FEATURE_RECONNECTION) == 0) {
        if (broken_)
            return failure(XEN_EIO);
        show(ring.rsp_cons, read_once(ring.rsp_prod));
        return finish_reconnect();
    }
    const Time deadline = link_.now() + patience_;
    show(ring.connection, XENSTORE_RECONNECT);
    link_.notify();
    while (read_once(ring.connection) != XENSTORE_CONNECTED)
        if (!link_.wait(deadline))
            return failure(XEN_ETIMEDOUT);
    broken_ = false;
    return finish_reconnect();
}

Result<> Store::finish_reconnect()
{
    for (size_t i = 0; i < watches_.size(); ++i) {
        const Watched watched = watches_[i];
        if (const auto done = set_watch(watched); !done && done.error() != XEN_EEXIST) {
            broken_ = true;             // once more, with the next request
            return done;
        }
    }
    return {};
}

}  // namespace bulkhead
