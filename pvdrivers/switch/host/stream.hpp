// SPDX-License-Identifier: BSD-2-Clause
// Sends a document over a TCP connection as fast as the other side takes it.
#pragma once

#include "pvdrivers/switch/host/sources.hpp"

struct tcp_pcb;

namespace bulkhead::net {

// How the end of a document shows.
enum class Framing : uint8_t { plain, chunks };

enum class Sending : uint8_t {
    ended,          // the last item has been written
    full,           // the connection has no room: what it sends makes some
    goes_on         // a share has been written: frames of others come first, then the next (Turns)
};
// Writes a share of the document, as far as the connection has room for it.
[[nodiscard]] Sending send_items(tcp_pcb& pcb, const Sources& sources, Render render, Cursor& cursor, Framing framing);

// Calls a function a millisecond after it has been started.
class Turns {
public:
    constexpr Turns(void (*function)(void* context), void* context) : function_(function), context_(context) {}
    void start();

private:
    static void on_time(void* self);
    void (*function_)(void* context);
    void* context_;
    bool running_ = false;
};

// A short text, all or nothing: false without room for it.
[[nodiscard]] bool send_text(tcp_pcb& pcb, std::string_view text);

// Forgets the connection, which ends by itself. False: it had to be reset, which a callback of lwIP for
// this connection must tell by ERR_ABRT.
[[nodiscard]] bool release(tcp_pcb& pcb);
// Resets it; the same goes for callbacks.
void reset(tcp_pcb& pcb);

}  // namespace bulkhead::net
