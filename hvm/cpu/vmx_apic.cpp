// SPDX-License-Identifier: BSD-2-Clause
// The local APIC of a vCPU while it runs, where the CPU delivers its interrupts: between two exits the
// requests and services are in a page that the CPU works on, at any other time in LocalApic, so that
// nothing else knows of the page. Source: Intel SDM vol 3, "APIC Virtualization and Virtual Interrupts".
#include "hvm/cpu/local_apic.hpp"
#include "hvm/cpu/vmx_instructions.hpp"
#include "hvm/cpu/vmx_vcpu.hpp"
#include "hvm/cpu/xapic.hpp"

#include <array>
#include <bit>

namespace bulkhead::vmx {

namespace {

// Words of the page: a register has 16 bytes.
constexpr size_t page_priority = 0x80 / 4, page_service = 0x100 / 4, page_request = 0x200 / 4, page_step = 0x10 / 4;
constexpr size_t page_command = 0x300 / 4, page_destination = 0x310 / 4;
constexpr uint32_t enabled = 0x100;

uint32_t highest(uint32_t word, unsigned index, uint32_t so_far)
{
    return word == 0 ? so_far : index * 32 + 31 - static_cast<uint32_t>(std::countl_zero(word));
}

}  // namespace

void put_apic(LocalApic& apic, VmxVcpu& own)
{
    uint32_t request = 0;
    uint32_t service = 0;
    const bool is_enabled = (apic.spurious & enabled) != 0;
    own.virtual_apic[page_priority] = apic.task_priority;
    for (unsigned i = 0; i < 8; ++i) {
        if (is_enabled && apic.requests[i].load(std::memory_order_relaxed) != 0) {
            // Acquire: what a sender wrote before comes with its request.
            const uint32_t word = apic.requests[i].exchange(0, std::memory_order_acquire);
            own.virtual_apic[page_request + i * page_step] = word;
            request = highest(word, i, request);
        }
        if (apic.in_service[i] != 0) {
            own.virtual_apic[page_service + i * page_step] = apic.in_service[i];
            service = highest(apic.in_service[i], i, service);
        }
    }
    const auto status = static_cast<uint16_t>(service << 8 | request);
    if (status == own.interrupt_status)
        return;
    own.interrupt_status = status;
    write(Field::GUEST_INTERRUPT_STATUS, status);
}

void take_apic(LocalApic& apic, VmxVcpu& own)
{
    apic.task_priority = own.virtual_apic[page_priority];
    const uint16_t before = own.interrupt_status;
    own.interrupt_status = static_cast<uint16_t>(read(Field::GUEST_INTERRUPT_STATUS));
    // Requests are taken and services ended, and a guest in xAPIC mode sends itself some: with nothing there
    // before and nothing now the page has nothing.
    if ((before | own.interrupt_status) == 0)
        return;
    for (unsigned i = 0; i < 8; ++i) {
        uint32_t& request = own.virtual_apic[page_request + i * page_step];
        uint32_t& service = own.virtual_apic[page_service + i * page_step];
        if (request != 0)
            apic.requests[i].fetch_or(request, std::memory_order_relaxed);
        apic.in_service[i] = service;
        request = 0;
        service = 0;
    }
}

// Those that the CPU reads for the guest. What the guest writes comes back by an exit, but for these two.
void put_apic_page(Vcpu& vcpu, VmxVcpu& own)
{
    static constexpr std::array<uint16_t, 17> offsets{0x20,  0x30,  0xD0,  0xE0,  0xF0,  0x280, 0x2F0, 0x300, 0x310,
                                                      0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3E0};
    for (const uint16_t offset : offsets)
        own.virtual_apic[offset / 4] = read_apic_page(vcpu, offset);
}

void take_apic_page(LocalApic& apic, const VmxVcpu& own)
{
    apic.command = own.virtual_apic[page_command];
    apic.command_destination = own.virtual_apic[page_destination];
}

}  // namespace bulkhead::vmx
