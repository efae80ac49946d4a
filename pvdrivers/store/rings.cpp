// SPDX-License-Identifier: BSD-2-Clause
// The rings of the server: requests in, answers and events out.
//
// Bytes are copied first, the region then says in one operation that they are, and the ring's own
// positions follow. A stop anywhere in between repeats at most the copying.
#include "pvdrivers/store/line.hpp"
#include "pvdrivers/store/requests.hpp"
#include "pvdrivers/store/server.hpp"
#include "pvdrivers/store/text.hpp"
#include "pvdrivers/store/watches.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead::store {

namespace {

// Requests of one client before the others have their turn.
constexpr uint32_t requests_a_turn = 8;

uint32_t read_once(const uint32_t& position)
{
    return __atomic_load_n(&position, __ATOMIC_ACQUIRE);
}

void show(uint32_t& position, uint32_t value)
{
    __atomic_store_n(&position, value, __ATOMIC_RELEASE);
}

void copy_from_ring(const char* ring, uint32_t position, char* to, uint32_t bytes)
{
    const uint32_t at = MASK_XENSTORE_IDX(position);
    const uint32_t first = std::min<uint32_t>(bytes, XENSTORE_RING_SIZE - at);
    std::memcpy(to, ring + at, first);
    std::memcpy(to + first, ring, bytes - first);
}

void copy_to_ring(char* ring, uint32_t position, const char* from, uint32_t bytes)
{
    const uint32_t at = MASK_XENSTORE_IDX(position);
    const uint32_t first = std::min<uint32_t>(bytes, XENSTORE_RING_SIZE - at);
    std::memcpy(ring + at, from, first);
    std::memcpy(ring, from + first, bytes - first);
}

xsd_sockmsg head_of(const char* message)
{
    xsd_sockmsg head;
    std::memcpy(&head, message, sizeof(head));
    return head;
}

}  // namespace

// A ring of a new life is empty; one that an earlier region knew goes on where it stood.
void Server::adopt_positions(store_client& client, const xenstore_domain_interface& ring)
{
    region_.set(client.req_cons, read_once(ring.req_cons));
    region_.set(client.rsp_prod, read_once(ring.rsp_prod));
}

void Server::show_positions(uint32_t index)
{
    const store_client& client = region_.client(index);
    stop_point();
    show(rings_[index]->rsp_prod, client.rsp_prod);
    stop_point();
    show(rings_[index]->req_cons, client.req_cons);
    // A client notifies only if it saw that the store had caught up, so look again behind this.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool Server::available_input(uint32_t index, uint32_t& bytes)
{
    bytes = read_once(rings_[index]->req_prod) - region_.client(index).req_cons;
    return bytes <= XENSTORE_RING_SIZE;
}

bool Server::room_for_output(uint32_t index, uint32_t& bytes)
{
    const uint32_t used = region_.client(index).rsp_prod - read_once(rings_[index]->rsp_cons);
    bytes = XENSTORE_RING_SIZE - used;
    return used <= XENSTORE_RING_SIZE;
}

bool Server::turn()
{
    const auto clients = static_cast<uint32_t>(plans_.size());
    bool more = false;
    for (uint32_t i = 0; i < clients; ++i)
        more |= serve((first_ + i) % clients);
    // One client's changes are another's events.
    for (uint32_t i = 0; i < clients; ++i) {
        if (rings_[i] != nullptr && region_.client(i).state == STORE_CLIENT_RUNNING)
            send(i);
    }
    for (; changed_ != 0; changed_ &= changed_ - 1)
        surroundings_.notify(static_cast<uint32_t>(__builtin_ctzll(changed_)));
    first_ = clients != 0 ? (first_ + 1) % clients : 0;
    return more;
}

bool Server::serve(uint32_t index)
{
    const store_client& client = region_.client(index);
    if (rings_[index] == nullptr)
        return false;
    if (read_once(rings_[index]->connection) == XENSTORE_RECONNECT)
        reset(index);
    for (uint32_t i = 0; i < requests_a_turn; ++i) {
        if (client.state != STORE_CLIENT_RUNNING)
            return false;
        if (client.reply_bytes != 0)
            send(index);
        if (!take_request(index))
            return false;
    }
    return true;
}

// Takes a request or the part of one that has come; false when there is nothing to take now. Parts
// are taken at once: Linux does not notify of the rest of a request before its beginning was taken.
bool Server::take_request(uint32_t index)
{
    const store_client& client = region_.client(index);
    uint32_t available = 0;
    // Whoever does not read its answers is not asked for more.
    if (client.state != STORE_CLIENT_RUNNING || client.reply_bytes != 0)
        return false;
    if (!available_input(index, available)) {
        close(index, XENSTORE_ERROR_RINGIDX, "its position of requests is outside the ring");
        return false;
    }
    if (available == 0)
        return false;
    if (client.request_bytes != 0 || available < sizeof(xsd_sockmsg))
        return take_part(index, available);
    const char* ring = rings_[index]->req;
    copy_from_ring(ring, client.req_cons, scratch.request.data(), sizeof(xsd_sockmsg));
    const xsd_sockmsg head = head_of(scratch.request.data());
    if (!is_acceptable(index, head))
        return false;
    const auto whole = static_cast<uint32_t>(sizeof(head) + head.len);
    if (available < whole)
        return take_part(index, available);
    copy_from_ring(ring, client.req_cons + static_cast<uint32_t>(sizeof(head)), scratch.request.data() + sizeof(head),
                   head.len);
    process(index, scratch.request.data(), whole);
    return true;
}

bool Server::is_acceptable(uint32_t index, const xsd_sockmsg& head)
{
    if (head.len > XENSTORE_PAYLOAD_MAX)
        close(index, XENSTORE_ERROR_PROTO, "a request is longer than the protocol allows");
    return head.len <= XENSTORE_PAYLOAD_MAX;
}

// A request that comes in parts is put together in the region: its header, then the rest.
bool Server::take_part(uint32_t index, uint32_t available)
{
    store_client& client = region_.client(index);
    auto* buffer = reinterpret_cast<char*>(region_.bytes_at(client.request));
    const uint32_t have = client.request_bytes;
    const bool has_head = have >= sizeof(xsd_sockmsg);
    const uint32_t end = static_cast<uint32_t>(sizeof(xsd_sockmsg)) + (has_head ? head_of(buffer).len : 0);
    const uint32_t now = std::min(available, end - have);
    stop_point();
    copy_from_ring(rings_[index]->req, client.req_cons, buffer + have, now);
    const bool is_whole = have + now == end && (has_head || head_of(buffer).len == 0);
    if (have + now == end && !has_head && !is_acceptable(index, head_of(buffer)))
        return false;
    if (is_whole) {
        std::memcpy(scratch.request.data(), buffer, end);
        process(index, scratch.request.data(), now);
        return true;
    }
    const uint32_t before = client.req_cons;
    region_.begin();
    region_.set(client.request_bytes, have + now);
    region_.set(client.req_cons, before + now);
    region_.commit();
    show_positions(index);
    // Only a client that found the ring full waits to hear that some of it was taken.
    if (read_once(rings_[index]->req_prod) - before >= XENSTORE_RING_SIZE)
        changed_ |= uint64_t{1} << index;
    return true;
}

void Server::process(uint32_t index, const char* message, uint32_t taken)
{
    store_client& client = region_.client(index);
    const xsd_sockmsg head = head_of(message);
    region_.begin();
    const size_t bytes = answer(region_, client, head, {message + sizeof(head), head.len});
    put_reply(index, bytes);
    region_.set(client.request_bytes, 0);
    region_.set(client.req_cons, client.req_cons + taken);
    region_.commit();
    show_positions(index);
    changed_ |= uint64_t{1} << index;
    take_apart_all();
}

void Server::put_reply(uint32_t index, size_t bytes)
{
    store_client& client = region_.client(index);
    uint32_t room = 0;
    if (client.message_sent == 0 && room_for_output(index, room) && room >= bytes) {
        stop_point();
        copy_to_ring(rings_[index]->rsp, client.rsp_prod, scratch.reply.data(), static_cast<uint32_t>(bytes));
        region_.set(client.rsp_prod, client.rsp_prod + static_cast<uint32_t>(bytes));
        return;
    }
    region_.put_bytes(region_.bytes_at(client.reply), scratch.reply.data(), bytes);
    region_.set(client.reply_bytes, static_cast<uint32_t>(bytes));
    region_.set(client.reply_sent, 0);
}

// Moves answers and events into the ring, as many as fit.
void Server::send(uint32_t index)
{
    store_client& client = region_.client(index);
    for (;;) {
        uint32_t room = 0;
        if (!room_for_output(index, room)) {
            close(index, XENSTORE_ERROR_RINGIDX, "its position of answers is outside the ring");
            return;
        }
        if (room == 0)
            return;
        if (client.reply_bytes == 0 && client.messages == 0) {
            if (!can_queue_merged(client))
                return;
            region_.begin();
            queue_merged(region_, client);
            region_.commit();
            if (client.messages == 0)
                return;
        }
        send_piece(index, room);
    }
}

void Server::send_piece(uint32_t index, uint32_t room)
{
    store_client& client = region_.client(index);
    std::array<char, XENSTORE_RING_SIZE> piece;
    // An event that is half sent is finished before an answer is begun.
    const bool is_event = client.reply_bytes == 0 || client.message_sent != 0;
    const uint32_t sent = is_event ? client.message_sent : client.reply_sent;
    const uint32_t whole = is_event ? region_.record(client.messages).value_bytes : client.reply_bytes;
    const uint32_t now = std::min(room, whole - sent);
    if (is_event)
        TextPosition(region_, region_.record(client.messages).text, sent).read(piece.data(), now);
    else
        std::memcpy(piece.data(), region_.bytes_at(client.reply + sent), now);
    stop_point();
    copy_to_ring(rings_[index]->rsp, client.rsp_prod, piece.data(), now);
    region_.begin();
    region_.set(client.rsp_prod, client.rsp_prod + now);
    if (is_event && sent + now == whole) {
        drop_message(region_, client);
    } else if (is_event) {
        region_.set(client.message_sent, sent + now);
    } else {
        region_.set(client.reply_sent, sent + now == whole ? 0 : sent + now);
        region_.set(client.reply_bytes, sent + now == whole ? 0 : whole);
    }
    region_.commit();
    show_positions(index);
    changed_ |= uint64_t{1} << index;
}

void Server::close(uint32_t index, uint32_t error, const char* why)
{
    store_client& client = region_.client(index);
    region_.begin();
    region_.set(client.state, STORE_CLIENT_CLOSED);
    region_.set(client.error, error);
    region_.commit();
    while (drop_one(client)) {
    }
    show(rings_[index]->error, error);
    changed_ |= uint64_t{1} << index;
    surroundings_.report((Line() << "the ring of " << client.name << " is closed: " << why).text());
}

// The client wants a fresh ring. `connection` is cleared last, so that a stop before repeats it all.
void Server::reset(uint32_t index)
{
    store_client& client = region_.client(index);
    xenstore_domain_interface& ring = *rings_[index];
    set_state(client, STORE_CLIENT_RESETTING);
    while (drop_one(client)) {
    }
    region_.begin();
    region_.set(client.req_cons, 0);
    region_.set(client.rsp_prod, 0);
    region_.set(client.request_bytes, 0);
    region_.set(client.reply_bytes, 0);
    region_.set(client.reply_sent, 0);
    region_.set(client.error, XENSTORE_ERROR_NONE);
    region_.set(client.state, STORE_CLIENT_RUNNING);
    region_.commit();
    for (uint32_t* position : {&ring.req_prod, &ring.rsp_cons, &ring.error}) {
        stop_point();
        show(*position, 0);
    }
    show_positions(index);
    changed_ |= uint64_t{1} << index;
    stop_point();
    show(ring.connection, XENSTORE_CONNECTED);
}

}  // namespace bulkhead::store
