// SPDX-License-Identifier: BSD-2-Clause
// A guest's access to its local APIC's page: the instruction is decoded by the partition's machine
// service, whose answers are remembered by the bytes of the instruction. While a question is open its
// vCPU is held; a service that restarts finds the question again, one that is gone for good ends the
// partition by its crash policy.
#pragma once

#include "core/guest_frame.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

struct Exit;
struct Vcpu;

inline constexpr unsigned longest_instruction = 15;

struct Code {
    std::array<uint8_t, longest_instruction> bytes;
    uint8_t length;             // of what there is
    uint8_t mode;               // BULKHEAD_CODE_*
};

struct RememberedAnswer {
    uint64_t rip;
    uint64_t answer;            // 0: empty
    Code code;                  // length: of the instruction
};

struct PageAccess {
    bool open;                  // a question has been asked
    bool write;
    uint16_t ticket;            // of the last question; goes on over lives
    uint32_t offset;            // in the page
    Code code;
    std::atomic<uint64_t> answer;                       // the service's CPU writes it
    std::array<RememberedAnswer, 8> remembered;         // by the address of the code
    uint64_t asked, from_memory;                        // counted
};

// The exit is an instruction's access to the page.
[[nodiscard]] bool is_page_access(const Vcpu& vcpu, const Exit& exit);
// Carries it out, or asks: the vCPU is held then.
void begin_page_access(Vcpu& vcpu, GuestFrame& frame, const Exit& exit);
// Before the vCPU is entered while a question is open.
void resume_page_access(Vcpu& vcpu, GuestFrame& frame);
// The vCPU begins anew.
void forget_page_access(Vcpu& vcpu);
// HardwareOperations::machine_answer.
void take_machine_answer(Vcpu& vcpu, uint64_t answer);

}  // namespace bulkhead
