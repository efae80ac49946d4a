// SPDX-License-Identifier: BSD-2-Clause
// See page_access.hpp.
#include "hvm/cpu/page_access.hpp"

#include "core/partition_fault.hpp"
#include "core/schedule.hpp"
#include "core/services.hpp"
#include "hvm/cpu/decoded.hpp"
#include "hvm/cpu/exits.hpp"
#include "hvm/cpu/xapic.hpp"
#include "pvdrivers/abi/machine.h"

#include <algorithm>

namespace bulkhead {

namespace {

uint32_t bit_of(const Vcpu& vcpu) { return 1u << vcpu.number.raw(); }

std::atomic_ref<uint32_t> waiting_in(const Partition& service) { return std::atomic_ref(service.service.machine.page->waiting); }

// Others' state, which may change at once: who waits is woken with each change.
bool will_answer(const Partition& service)
{
    switch (service.state.load(std::memory_order_seq_cst)) {
    case PartitionState::building:
    case PartitionState::running:
    case PartitionState::paused:
    case PartitionState::shut_down:
        return true;
    case PartitionState::stopped:
        return service.generation == 0 && (service.plan->flags & plan::autostart) != 0;
    case PartitionState::left_out:
    case PartitionState::crashed:
        break;
    }
    return false;
}

void crash_unanswered(Vcpu& vcpu, const GuestFrame& frame, const char* why)
{
    const PageAccess& access = vcpu.hardware->page;
    CodeText text;
    crash_partition(vcpu, "it %s its local APIC at %#x by code at %#lx, %s; code %s",
                    access.write ? "wrote to" : "read", access.offset, static_cast<unsigned long>(frame.rip), why,
                    text_of_code(access.code.bytes, access.code.length, text));
}

void ask(Vcpu& vcpu, const GuestFrame& frame)
{
    const Partition* service = machine_service_of(*vcpu.partition);
    if (service == nullptr)
        return crash_unanswered(vcpu, frame, "and has no machine service on this box");
    // In this order: the answer may come at once.
    hold(vcpu, hold_machine);
    waiting_in(*service).fetch_or(bit_of(vcpu), std::memory_order_seq_cst);
    if (!will_answer(*service)) {
        waiting_in(*service).fetch_and(~bit_of(vcpu), std::memory_order_relaxed);
        release(vcpu, hold_machine);
        vcpu.hardware->page.open = false;
        return crash_unanswered(vcpu, frame, "and its machine service does not run");
    }
    release(service->vcpus[0], hold_blocked);
}

void put_question(Vcpu& vcpu, const GuestFrame& frame)
{
    PageAccess& access = vcpu.hardware->page;
    const Partition* service = machine_service_of(*vcpu.partition);
    if (service != nullptr) {
        // 0 is the ticket of no question.
        access.ticket = access.ticket == UINT16_MAX ? uint16_t{1} : static_cast<uint16_t>(access.ticket + 1);
        bulkhead_instruction& slot = service->service.machine.page->slots[vcpu.number.raw()];
        std::ranges::copy(access.code.bytes, slot.bytes);
        slot.length = access.code.length;
        slot.mode = access.code.mode;
        slot.ticket = access.ticket;
        access.open = true;
        ++access.asked;
    }
    ask(vcpu, frame);
}

Code code_of(const Vcpu& vcpu, const GuestFrame& frame)
{
    Code code{};
    code.mode = vendor().in_64_bit_code(vcpu)   ? BULKHEAD_CODE_64
                : vendor().in_32_bit_code(vcpu) ? BULKHEAD_CODE_32
                                                : BULKHEAD_CODE_16;
    unsigned length = vendor().fetched_code(vcpu, code.bytes);
    if (length == 0)
        length = fetch_code(vcpu, vendor().code_base(vcpu) + frame.rip, code.bytes.data(), code.bytes.size());
    code.length = static_cast<uint8_t>(length);
    return code;
}

RememberedAnswer& place_for(PageAccess& access, uint64_t rip)
{
    return access.remembered[(rip ^ rip >> 3) % access.remembered.size()];
}

// The bytes decide, so that code which has changed is asked about anew.
bool fits(const RememberedAnswer& known, uint64_t rip, const Code& code)
{
    return known.answer != 0 && known.rip == rip && known.code.mode == code.mode && known.code.length <= code.length &&
           std::equal(known.code.bytes.begin(), known.code.bytes.begin() + known.code.length, code.bytes.begin());
}

void finish(Vcpu& vcpu, GuestFrame& frame, const Decoded& instruction)
{
    carry_out(vcpu, frame, instruction, vcpu.hardware->page.offset);
    step_by(vcpu, frame, instruction.length);
}

}  // namespace

bool is_page_access(const Vcpu& vcpu, const Exit& exit)
{
    return vcpu.hardware->apic.by_page && exit.by_instruction && (exit.address & ~uint64_t{page_mask}) == apic_page &&
           vcpu.hardware->next.type == Injection::Type::none;
}

void begin_page_access(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    PageAccess& access = vcpu.hardware->page;
    access.write = exit.write;
    access.offset = static_cast<uint32_t>(exit.address & page_mask);
    access.code = code_of(vcpu, frame);
    if (access.code.length == 0)
        return crash_unanswered(vcpu, frame, "which cannot be read");
    const RememberedAnswer& known = place_for(access, frame.rip);
    if (fits(known, frame.rip, access.code)) {
        if (const auto instruction = check_answer(known.answer, known.code.length, access.write)) {
            ++access.from_memory;
            return finish(vcpu, frame, *instruction);
        }
    }
    put_question(vcpu, frame);
}

void resume_page_access(Vcpu& vcpu, GuestFrame& frame)
{
    PageAccess& access = vcpu.hardware->page;
    // Acquire pairs with the release in take_machine_answer().
    const uint64_t answer = access.answer.load(std::memory_order_acquire);
    if (answer >> BULKHEAD_ANSWER_TICKET_SHIFT != access.ticket)
        return ask(vcpu, frame);
    access.open = false;
    const auto instruction = check_answer(answer, access.code.length, access.write);
    if (!instruction)
        return crash_unanswered(vcpu, frame, "an instruction that is not carried out for it");
    RememberedAnswer& place = place_for(access, frame.rip);
    place = {frame.rip, answer, access.code};
    place.code.length = instruction->length;
    finish(vcpu, frame, *instruction);
}

void forget_page_access(Vcpu& vcpu)
{
    PageAccess& access = vcpu.hardware->page;
    access.open = false;
    for (RememberedAnswer& known : access.remembered)
        known.answer = 0;
    if (!vcpu.hardware->apic.by_page)
        return;
    if (const Partition* service = machine_service_of(*vcpu.partition); service != nullptr)
        waiting_in(*service).fetch_and(~bit_of(vcpu), std::memory_order_relaxed);
}

void take_machine_answer(Vcpu& vcpu, uint64_t answer)
{
    vcpu.hardware->page.answer.store(answer, std::memory_order_release);
    release(vcpu, hold_machine);
}

}  // namespace bulkhead
