// SPDX-License-Identifier: BSD-2-Clause
// What happens beside hypercalls: what guests write to their own memory, what their instructions make the
// core do, time, interrupts, other partitions' ends.
#include "caller.hpp"

#include "core/devices/interrupts.hpp"
#include "core/event_table.hpp"
#include "core/events.hpp"
#include "core/grant_pin.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/pv/control_bits.hpp"
#include "core/pv/debug_registers.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/entry_points.hpp"
#include "core/pv/fpu.hpp"
#include "core/pv/write_emulation.hpp"
#include "core/runstate.hpp"
#include "core/schedule.hpp"
#include "core/shared_memory.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "machine/current_frame.hpp"
#include "platform/x86/vectors.hpp"
#include "pvdrivers/abi/machine.h"

namespace bulkhead::fuzz {

namespace {

// The guest's own store to a page: it needs a writable mapping, which turns the type.
template <class Write>
void store_to(Caller& caller, Mfn page, Write write)
{
    if (!get_writable_frame(page, caller.partition.id).has_value())
        return;
    write(fake::words(page));
    put_writable_frame(page);
}

void write_page(Caller& caller)
{
    const Mfn page = caller.own_frame();
    const uint64_t role = Caller::role_of(page);
    store_to(caller, page, [&](uint64_t* words) {
        if (caller.choose(2) == 0)
            std::fill_n(words, 512, 0);
        for (uint64_t left = caller.choose(8); left != 0; --left)
            words[caller.slot()] = role == 4 ? caller.choose(32) << 40 | caller.choose(2) << 47 : caller.entry_in(role);
    });
}

// Tables for the guest's next address space, with several L1s: more than one share of work.
void write_tree(Caller& caller)
{
    const uint64_t first = 8 * caller.choose(10);
    const auto at = [&](uint64_t role) {
        for (uint64_t i = 0; i < 8; ++i) {
            const Mfn frame = caller.world.frame(caller.which, first + i);
            if (Caller::role_of(frame) == role)
                return frame;
        }
        return caller.own_frame();
    };
    const uint64_t pages = caller.once_in(4) ? 512 : caller.choose(40);
    for (uint64_t role = 0; role < 4; ++role) {
        store_to(caller, at(role), [&](uint64_t* words) {
            std::fill_n(words, 512, 0);
            if (role < 3)
                words[0] = pte::make(at(role + 1), fake::rw);
            for (uint64_t i = 0; role == 3 && i < pages; ++i) {
                const Mfn frame = caller.world.frame(caller.which, i % pool_frames);
                words[i] = pte::make(frame, Caller::role_of(frame) <= 4 ? fake::ro : fake::rw);
            }
            if (caller.once_in(6))
                words[caller.slot()] = caller.entry_in(role);
        });
    }
}

void write_grant_entry(Caller& caller)
{
    const GrantTable& table = caller.partition.grants;
    const auto ref = static_cast<uint32_t>(caller.choose(12));
    const auto flags = static_cast<uint16_t>(caller.once_in(6) ? caller.choose(1 << 16)
                                                              : GTF_permit_access | caller.choose(2) * GTF_readonly);
    const domid_t domain = caller.peer();
    const uint64_t frame = caller.some_frame().raw();
    if (table.version == 1)
        return table.entries[ref].store(entry::make(flags, DomainId(domain), Mfn(frame)), std::memory_order_relaxed);
    GrantEntryV2& shared = entry_v2(table, ref);
    const bool part = caller.once_in(4);
    shared.frame.store(frame);
    shared.part.store(part ? static_cast<uint32_t>(caller.choose(64) | caller.choose(4096) << 16) : 0);
    shared.header.store(uint32_t{domain} << 16 | flags | (part ? GTF_sub_page : 0));
}

void write_event_words(Caller& caller)
{
    const FifoEvents& fifo = caller.partition.events.fifo;
    if (!fifo.in_use) {
        shared_info_t& shared = *caller.partition.shared;
        (caller.choose(2) == 0 ? shared.evtchn_mask : shared.evtchn_pending)[0] = caller.choose(1 << 16);
        return;
    }
    const auto port = static_cast<uint32_t>(caller.choose(12));
    if (EventWord* const word = fifo_word(caller.partition, port); word != nullptr)
        word->store(static_cast<event_word_t>(caller.choose(16) << 28 | caller.choose(16)));
    evtchn_fifo_control_block_t* const block = fifo.vcpus[caller.vcpu.number.raw()].block;
    if (block != nullptr && caller.choose(2) == 0)
        block->ready = 0;
}

void clear_upcall(Caller& caller)
{
    caller.vcpu.info->evtchn_upcall_pending = static_cast<uint8_t>(caller.choose(2));
    caller.vcpu.info->evtchn_upcall_mask = static_cast<uint8_t>(caller.choose(2));
    caller.vcpu.info->evtchn_pending_sel = 0;
}

void store_to_tables(Caller& caller)
{
    static constexpr uint8_t sizes[] = {1, 2, 4, 8, 8, 8, 3, 0};
    const PageTableWrite write{.address = GuestVirtual(caller.address()),
                               .size = caller.one_of(sizes),
                               .operation = static_cast<PageTableWrite::Operation>(caller.choose(8)),
                               .operand = caller.choose(2) == 0 ? caller.entry_in(caller.choose(4)) : caller.choose(64),
                               .expected = caller.choose(2) == 0 ? 0 : caller.any_entry()};
    PageTableWriteResult result{};
    (void)is_page_table_address(caller.vcpu, write.address);
    (void)emulate_page_table_write(caller.vcpu, write, result);
}

void use_descriptor(Caller& caller)
{
    const uint64_t window = layout::descriptor_windows + caller.vcpu.index * layout::descriptor_window_size;
    const uint64_t address = window + layout::ldt_offset + caller.choose(3 * page_size);
    if (!map_ldt_page(caller.vcpu, address))
        (void)missing_descriptor(caller.vcpu, caller.choose(2) == 0 ? address : window + caller.choose(1 << 18));
}

void pass_time(Caller& caller)
{
    fake::tsc += uint64_t{1} << caller.choose(44);
    fake::scale.stable = !caller.once_in(4);
    if (caller.once_in(8))
        clock_changed();
    caller.world.decide(0);
    caller.world.decide(1);
}

// The monitor pauses it for a while.
void pause(Caller& caller)
{
    const uint64_t by_ns = uint64_t{1} << caller.choose(36);
    fake::tsc += by_ns;
    shift_watchdogs(caller.partition, by_ns);
    note_console_deadline();
}

// The monitor looks at it.
void look(Caller& caller)
{
    for (uint32_t port = 0; port < caller.partition.events.count + 1; ++port) {
        const PortInfo info = event_port_info(caller.partition, Port(port));
        require(port_state_name(info.state)[0] != '?' && info.vcpu < 2, "a port's state");
    }
    for (uint32_t ref = 0; ref < 12; ++ref)
        require(grant_info(caller.partition, GrantRef(ref)).pins < 64, "an entry's pins");
    require(grant_info(caller.partition, GrantRef(100'000)).pins == 0, "an entry that does not exist");
    require(bell_name(static_cast<uint32_t>(caller.choose(4)))[0] != '\0', "a bell's name");
}

// What its instructions ask for.
void use_registers(Caller& caller)
{
    static constexpr uint64_t components[] = {0, 1, 2, 3, 4, 5, 7, 0x27, 0xE7, 0x100};
    Vcpu& vcpu = caller.vcpu;
    const uint64_t wanted = caller.one_of(components);
    require(set_xcr0(vcpu, wanted).has_value() == (vcpu.pv.xcr0 == wanted), "XCR0");
    require((vcpu.pv.xcr0 & 1) != 0, "XCR0 without x87");
    vcpu.pv.cr4 ^= cr4::de * caller.choose(2);
    static constexpr uint64_t controls[] = {0, 0x400, 0x20402, 0xF00FF, 0xEEEE00FF};
    (void)write_debug_register(vcpu, caller.choose(8), caller.choose(2) == 0 ? caller.one_of(controls) : caller.choose(32));
    require((io_breakpoint_status(vcpu, static_cast<uint16_t>(caller.choose(16)), 4) & ~uint64_t{15}) == 0, "a breakpoint's status");
}

// User mode, and another vCPU of its CPU between.
void leave_and_return(Caller& caller)
{
    Vcpu& vcpu = caller.vcpu;
    vcpu.pv.kernel_mode = vcpu.pv.user_table == Mfn(0) || caller.choose(2) == 0;
    vcpu.time.stale = true;
    const uint32_t reasons = static_cast<uint32_t>(caller.choose(8)) << 1;
    hold(vcpu, reasons);
    runstate_switch_out(vcpu, vcpu.hold.load());
    fake::tsc += caller.choose(1 << 16);
    release(vcpu, reasons);
    runstate_waits(vcpu, machine::now());
    runstate_switch_in(vcpu);
    vcpu.pv.kernel_mode = true;
}

void interrupt(Caller& caller)
{
    switch (caller.choose(4)) {
    case 0:
    case 1:
        return send_virq(caller.vcpu, static_cast<unsigned>(caller.number(26)));
    case 2:
        return notify_core_port(caller.partition, Port(static_cast<uint32_t>(caller.number(12))));
    default:
        return device_interrupt(static_cast<uint8_t>(vector_first_assigned + caller.choose(5)));
    }
}

void core_port_handler(Partition&, Port) {}
void other_core_port_handler(Partition&, Port) {}

void open_core_port(Caller& caller)
{
    const Port port(static_cast<uint32_t>(caller.number(12)));
    if (caller.choose(2) == 0) {
        (void)bind_core_port(caller.partition, port, caller.choose(2) == 0 ? core_port_handler : other_core_port_handler);
        return;
    }
    // Those come from the plan, which has no port 0.
    const Port peer_port(static_cast<uint32_t>(caller.number(12)));
    if (port != Port(0) && peer_port != Port(0))
        open_static_port(caller.partition, port, caller.world.partition(1 - caller.which), peer_port);
}

void type(Caller& caller)
{
    ConsoleSource& source = *caller.partition.console.source;
    const LockGuard guard(source.lock);
    for (uint64_t left = caller.choose(32); left != 0; --left)
        (void)source.input.put('x');
}

// A vCPU of the hardware partition waits for an answer.
void ask_machine(Caller& caller)
{
    caller.world.partition(1).service.machine.page->waiting |= 1u << caller.choose(2);
}

// The other vCPU writes to the arguments while they are read.
void change_while_read(Caller& caller)
{
    World& world = caller.world;
    const size_t index = caller.which * 2 + caller.vcpu.number.raw();
    const uint64_t when = caller.choose(8);
    const uint64_t where = caller.choose(64) * 8;
    const uint64_t value = caller.any();
    fake::on_guest_access = [&world, index, when, where, value, seen = uint64_t{0}](GuestVirtual, size_t, bool) mutable {
        if (seen++ == when)
            std::memcpy(&world.buffers[index][where], &value, sizeof(value));
    };
    const Call call = choose_call(caller);
    GuestFrame& frame = machine::current_frame();
    frame.rax = call.number;
    frame.arguments() = call.arguments;
    (void)dispatch_hypercall(caller.vcpu, call.number, frame.arguments());
}

// Another vCPU is in the middle of an operation that keeps this one out.
void find_it_busy(Caller& caller)
{
    const LockGuard guard(caller.partition.lifecycle.vcpu_lock);
    HypercallArguments arguments = vcpu_op(caller);
    (void)do_vcpu_op(caller.vcpu, arguments);
}

void return_to_guest(Caller& caller)
{
    iret_context context{};
    context.flags = caller.choose(2) * VGCF_in_syscall;
    context.rip = caller.canonical();
    context.cs = FLAT_KERNEL_CS & ~(caller.choose(2) * 3);
    context.rflags = caller.choose(1 << 22);
    context.rsp = caller.canonical();
    context.ss = FLAT_USER_SS;
    GuestFrame& frame = machine::current_frame();
    frame = {};
    frame.rsp = caller.put(context);
    caller.vcpu.pv.nmi_masked = caller.choose(2) != 0;
    caller.vcpu.pv.upcalls_in_a_row = caller.choose(2) == 0 ? 0xff : 0;
    caller.vcpu.info->evtchn_upcall_pending = static_cast<uint8_t>(caller.choose(2));
    guest_iret_hypercall(caller.vcpu, frame);
    caller.vcpu.pv.kernel_mode = true;
    if (caller.world.ended[caller.which])
        return;
    require((frame.rflags & 0x3000) == 0 && (frame.cs & 3) == 3 && (frame.ss & 3) != 0, "it returns to ring 0");
}

void end(Caller& caller) { caller.world.ended[caller.which] = caller.once_in(4); }

constexpr void (*happenings[])(Caller&) = {
    write_page,   write_page,       write_tree,        write_tree,     write_grant_entry, write_grant_entry,
    write_event_words, clear_upcall, store_to_tables,  store_to_tables, use_descriptor,   pass_time,         pass_time,
    leave_and_return, interrupt,    open_core_port,    type,           change_while_read, find_it_busy,
    return_to_guest, return_to_guest, pause,           look,           use_registers,     end,
    ask_machine,
};

}  // namespace

void happen(World& world, Vcpu& vcpu)
{
    Caller caller(world, vcpu);
    caller.one_of(happenings)(caller);
}

}  // namespace bulkhead::fuzz
