// SPDX-License-Identifier: BSD-2-Clause
// See event_fifo.hpp. Linking a port: its word gets the flag LINKED, and the last port of its queue the
// number of the new one; if that one was consumed meanwhile, the new one becomes the queue's head.
#include "core/event_fifo.hpp"

#include "core/boot_allocator.hpp"
#include "core/event_table.hpp"
#include "core/frames.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr int attempts_at_a_word = 5;
// Of what waits for a page: less than 10,000 instructions.
constexpr uint32_t raised_at_once = 64;

// Makes the word name the port that follows it. False: it is in no queue any more. The guest may
// change its word while we try; one that never stops loses the event.
bool append(EventWord& word, uint32_t port)
{
    event_word_t seen = word.load(std::memory_order_relaxed);
    for (int attempt = 0; attempt < attempts_at_a_word; ++attempt) {
        if ((seen & fifo::linked) == 0)
            break;
        const event_word_t next = (seen & ~(fifo::busy | fifo::link_mask)) | port;
        if (word.compare_exchange_strong(seen, next, std::memory_order_seq_cst))
            return true;
        // An honest guest does not unmask a port that is busy, and so does not change the word.
        seen = word.fetch_or(fifo::busy, std::memory_order_seq_cst) | fifo::busy;
    }
    return (word.fetch_and(~fifo::busy, std::memory_order_seq_cst) & fifo::linked) != 0;
}

// The port is nobody's tail: its LINKED was clear, so the queue that it ended is empty.
void leave_old_queue(FifoEvents& events, uint32_t port)
{
    const FifoPort& state = events.ports[port];
    uint32_t& tail = events.vcpus[state.vcpu].tail[state.queue];
    if (tail == port)
        tail = 0;
}

void link(Partition& partition, uint32_t port, EventWord& word, Vcpu& target)
{
    FifoEvents& events = partition.events.fifo;
    FifoVcpu& owner = events.vcpus[target.number.raw()];
    if ((word.load(std::memory_order_seq_cst) & (fifo::masked | fifo::linked)) != 0 || owner.block == nullptr)
        return;
    if ((word.fetch_or(fifo::linked, std::memory_order_seq_cst) & fifo::linked) != 0)
        return;
    leave_old_queue(events, port);
    FifoPort& state = events.ports[port];
    state.vcpu = static_cast<uint8_t>(target.number.raw());
    state.queue = state.priority;
    uint32_t& tail = owner.tail[state.queue];
    EventWord* const last = tail != 0 ? fifo_word(partition, tail) : nullptr;
    const bool follows = last != nullptr && append(*last, port);
    tail = port;
    if (follows)
        return;
    std::atomic_ref(owner.block->head[state.queue]).store(port, std::memory_order_seq_cst);
    const uint32_t bit = uint32_t{1} << state.queue;
    if ((std::atomic_ref(owner.block->ready).fetch_or(bit, std::memory_order_seq_cst) & bit) == 0)
        notify_vcpu(target);
}

uint64_t bit_of(uint32_t port) { return uint64_t{1} << port % 64; }

// What was pending in the other form, or before, has its word soon.
void switch_over(Partition& self)
{
    EventTable& table = self.events;
    for (uint32_t word = 0; word < table.count / 64; ++word)
        table.fifo.waits[word] = std::atomic_ref(self.shared->evtchn_pending[word]).load(std::memory_order_relaxed);
    table.fifo.in_use.store(true, std::memory_order_release);
}

Result<> set_block(Partition& self, uint32_t vcpu, Mfn frame, uint32_t offset)
{
    const LockGuard guard(self.events.lock);
    FifoVcpu& owner = self.events.fifo.vcpus[vcpu];
    if (owner.block != nullptr)
        return fail(XEN_EINVAL);
    if (!self.events.fifo.in_use.load(std::memory_order_relaxed))
        switch_over(self);
    owner.frame = frame;
    owner.block = reinterpret_cast<evtchn_fifo_control_block_t*>(machine::frame_pointer<char>(frame) + offset);
    return {};
}

uint32_t ports_with_words(const FifoEvents& events)
{
    return events.page_count.load(std::memory_order_relaxed) * fifo_words_per_page;
}

// The guest chooses how many wait. False: there are more.
bool raise_some_waiting(Partition& self)
{
    const LockGuard guard(self.events.lock);
    EventTable& table = self.events;
    FifoEvents& events = table.fifo;
    uint32_t left = raised_at_once;
    for (; events.raised_end < ports_with_words(events); events.raised_end += 64) {
        uint64_t& waits = events.waits[events.raised_end / 64];
        for (; waits != 0; waits &= waits - 1) {
            if (left-- == 0)
                return false;
            const uint32_t port = events.raised_end + static_cast<uint32_t>(std::countr_zero(waits));
            raise_fifo(self, port, self.vcpus[load_channel(table, port).vcpu]);
        }
    }
    return true;
}

Result<> add_page(Partition& self, Mfn frame)
{
    const LockGuard guard(self.events.lock);
    FifoEvents& events = self.events.fifo;
    if (!events.in_use.load(std::memory_order_relaxed))
        return fail(XEN_EOPNOTSUPP);
    const uint32_t page = events.page_count.load(std::memory_order_relaxed);
    if (page == fifo_pages)
        return fail(XEN_ENOSPC);
    events.pages[page] = frame;
    events.page_count.store(page + 1, std::memory_order_release);
    return {};
}

enum class Raising : uint8_t { nothing, ports_of_this, ports_of_another };

// Whether what waited for the last page is being raised, and whether this frame is that page.
Raising what_is_raised(Partition& self, Mfn frame)
{
    const LockGuard guard(self.events.lock);
    const FifoEvents& events = self.events.fifo;
    if (events.raised_end >= ports_with_words(events))
        return Raising::nothing;
    const Mfn last = events.pages[events.page_count.load(std::memory_order_relaxed) - 1];
    return last == frame ? Raising::ports_of_this : Raising::ports_of_another;
}

// A frame of the guest that stays writable, and so no page table, as long as it is used here.
template <class Use>
Result<> with_frame(const Partition& self, uint64_t number, Use use)
{
    const Mfn frame = named_frame(self, number);
    if (!get_writable_frame(frame, self.id).has_value())
        return fail(XEN_EINVAL);
    const Result<> result = use(frame);
    if (!result.has_value())
        put_writable_frame(frame);
    return result;
}

}  // namespace

void init_fifo(Partition& partition)
{
    static_assert(fifo_pages * fifo_words_per_page == event_ports);
    FifoEvents& events = partition.events.fifo;
    events.ports = boot_allocate_array<FifoPort>(event_ports).data();
    events.vcpus = boot_allocate_array<FifoVcpu>(partition.vcpus.size()).data();
    std::fill_n(events.ports, event_ports, FifoPort{EVTCHN_FIFO_PRIORITY_DEFAULT, EVTCHN_FIFO_PRIORITY_DEFAULT, 0});
}

EventWord* fifo_word(const Partition& partition, uint32_t port)
{
    const FifoEvents& events = partition.events.fifo;
    const uint32_t page = port / fifo_words_per_page;
    const uint32_t pages = events.page_count.load(std::memory_order_acquire);
    if (page >= pages)
        return nullptr;
    const Mfn frame = events.pages[machine::nospec_index(page, pages)];
    return machine::frame_pointer<EventWord>(frame) + port % fifo_words_per_page;
}

void raise_fifo(Partition& partition, uint32_t port, Vcpu& target)
{
    EventWord* const word = fifo_word(partition, port);
    if (word == nullptr) {
        partition.events.fifo.waits[port / 64] |= bit_of(port);
        return;
    }
    const bool was_pending = (word->fetch_or(fifo::pending, std::memory_order_seq_cst) & fifo::pending) != 0;
    link(partition, port, *word, target);
    // Pairs with start_polling(), as in raise_two_level().
    if (!was_pending && partition.events.polling.load(std::memory_order_relaxed) != 0)
        wake_pollers(partition, port);
}

void unmask_fifo(Partition& partition, uint32_t port, Vcpu& target)
{
    EventWord* const word = fifo_word(partition, port);
    if (word == nullptr)
        return;
    if ((word->fetch_and(~fifo::masked, std::memory_order_seq_cst) & fifo::pending) != 0)
        link(partition, port, *word, target);
}

void open_fifo_port(Partition& partition, uint32_t port)
{
    partition.events.fifo.ports[port].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    partition.events.fifo.waits[port / 64] &= ~bit_of(port);
}

// It stays in its queue: the guest takes it out.
void close_fifo_port(Partition& partition, uint32_t port)
{
    partition.events.fifo.waits[port / 64] &= ~bit_of(port);
    if (EventWord* const word = fifo_word(partition, port); word != nullptr)
        word->fetch_and(~fifo::pending, std::memory_order_relaxed);
}

void drop_fifo(Partition& partition)
{
    FifoEvents& events = partition.events.fifo;
    std::array<Mfn, fifo_pages + plan::max_vcpus> frames;
    uint32_t count = 0;
    {
        const LockGuard guard(partition.events.lock);
        if (!events.in_use.load(std::memory_order_relaxed))
            return;
        events.in_use.store(false, std::memory_order_relaxed);
        const uint32_t pages = events.page_count.exchange(0, std::memory_order_relaxed);
        for (uint32_t page = 0; page < pages; ++page)
            frames[count++] = events.pages[page];
        for (size_t vcpu = 0; vcpu < partition.vcpus.size(); ++vcpu) {
            if (events.vcpus[vcpu].block != nullptr)
                frames[count++] = events.vcpus[vcpu].frame;
            events.vcpus[vcpu] = {};
        }
        // A port's queue is looked at only where that ends with it: none does. Its priority it gets when opened.
        events.waits = {};
        events.raised_end = 0;
    }
    for (uint32_t i = 0; i < count; ++i)
        put_writable_frame(frames[i]);
}

Result<> init_fifo_control(Partition& self, evtchn_init_control& request)
{
    constexpr uint32_t alignment = 8;
    request.link_bits = EVTCHN_FIFO_LINK_BITS;
    if (request.vcpu >= self.vcpus.size())
        return fail(XEN_ENOENT);
    const auto vcpu = static_cast<uint32_t>(machine::nospec_index(request.vcpu, self.vcpus.size()));
    const uint32_t offset = request.offset;
    if (offset > page_size - sizeof(evtchn_fifo_control_block_t) || offset % alignment != 0)
        return fail(XEN_EINVAL);
    return with_frame(self, request.control_gfn, [&](Mfn frame) { return set_block(self, vcpu, frame, offset); });
}

Result<> expand_fifo_array(Partition& self, const evtchn_expand_array& request)
{
    if (!self.events.fifo.in_use.load(std::memory_order_relaxed))
        return fail(XEN_EOPNOTSUPP);
    const Raising raising = what_is_raised(self, named_frame(self, request.array_gfn));
    if (raising == Raising::nothing)
        TRY_VOID(with_frame(self, request.array_gfn, [&](Mfn frame) { return add_page(self, frame); }));
    const bool all_raised = raise_some_waiting(self);
    return all_raised && raising != Raising::ports_of_another ? Result<>{} : fail(XEN_ERESTART);
}

Result<> set_fifo_priority(Partition& self, const evtchn_set_priority& request)
{
    const uint32_t port = TRY(check_port(self.events, request.port));
    const LockGuard guard(self.events.lock);
    if (!self.events.fifo.in_use.load(std::memory_order_relaxed))
        return fail(XEN_ENOSYS);
    if (request.priority > EVTCHN_FIFO_PRIORITY_MIN)
        return fail(XEN_EINVAL);
    self.events.fifo.ports[port].priority = static_cast<uint8_t>(request.priority);
    return {};
}

}  // namespace bulkhead
