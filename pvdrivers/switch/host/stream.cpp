// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/stream.hpp"

#include <lwip/tcp.h>
#include <lwip/timeouts.h>

#include <array>

namespace bulkhead::net {

namespace {

// A chunk's length in hexadecimal, CR and LF before it, CR and LF behind it, and the last chunk.
constexpr size_t chunk_head = 6;
constexpr size_t chunk_tail = 2;
constexpr std::string_view last_chunk = "0\r\n\r\n";
// About 30,000 instructions.
constexpr size_t share_bytes = 4096;
static_assert(item_bytes < 0x1000);

// One at a time is made, for whichever connection: lwIP runs on one vCPU.
std::array<char, chunk_head + item_bytes + chunk_tail> room;

std::string_view as_chunk(size_t length)
{
    static constexpr char digits[] = "0123456789abcdef";
    size_t begin = chunk_head;
    room[--begin] = '\n';
    room[--begin] = '\r';
    for (size_t rest = length; rest != 0; rest /= 16)
        room[--begin] = digits[rest % 16];
    room[chunk_head + length] = '\r';
    room[chunk_head + length + 1] = '\n';
    return {room.data() + begin, chunk_head - begin + length + chunk_tail};
}

}  // namespace

bool send_text(tcp_pcb& pcb, std::string_view text)
{
    return tcp_write(&pcb, text.data(), static_cast<u16_t>(text.size()), TCP_WRITE_FLAG_COPY) == ERR_OK;
}

Sending send_items(tcp_pcb& pcb, const Sources& sources, Render render, Cursor& cursor, Framing framing)
{
    for (size_t written = 0; written < share_bytes;) {
        if (tcp_sndbuf(&pcb) < room.size() + last_chunk.size())
            return Sending::full;
        const Cursor before = cursor;
        Text item({room.data() + chunk_head, item_bytes});
        if (!render(sources, cursor, item)) {
            if (framing == Framing::plain || send_text(pcb, last_chunk))
                return Sending::ended;
            cursor = before;
            return Sending::full;
        }
        if (item.size() == 0)
            continue;
        if (!send_text(pcb, framing == Framing::chunks ? as_chunk(item.size()) : item.view())) {
            cursor = before;    // no memory now: the item is made again later
            return Sending::full;
        }
        written += item.size();
    }
    return Sending::goes_on;
}

void Turns::start()
{
    if (!running_)
        sys_timeout(1, on_time, this);
    running_ = true;
}

void Turns::on_time(void* argument)
{
    auto& self = *static_cast<Turns*>(argument);
    self.running_ = false;
    self.function_(self.context_);
}

namespace {

void detach(tcp_pcb& pcb)
{
    tcp_arg(&pcb, nullptr);
    tcp_recv(&pcb, nullptr);
    tcp_sent(&pcb, nullptr);
    tcp_err(&pcb, nullptr);
    tcp_poll(&pcb, nullptr, 0);
}

}  // namespace

bool release(tcp_pcb& pcb)
{
    detach(pcb);
    if (tcp_close(&pcb) == ERR_OK)
        return true;
    tcp_abort(&pcb);
    return false;
}

void reset(tcp_pcb& pcb)
{
    detach(pcb);
    tcp_abort(&pcb);
}

}  // namespace bulkhead::net
