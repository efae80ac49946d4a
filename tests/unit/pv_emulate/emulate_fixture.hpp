// SPDX-License-Identifier: BSD-2-Clause
// A PV guest's vCPU that is about to execute an instruction which the core carries out.
#pragma once

#include "core/pv/emulate.hpp"

#include "fake_core.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"

#include "core/pv/cpuid_policy.cpp"
#include "core/pv/debug_registers.cpp"
#include "core/pv/emulate.cpp"
#include "core/pv/emulate_control.cpp"
#include "core/pv/fpu.cpp"
#include "core/pv/instruction.cpp"
#include "core/pv/instruction_store.cpp"
#include "core/pv/io_ports.cpp"
#include "core/pv/msr_policy.cpp"
#include "core/pv/physdev_op.cpp"
#include "core/pv/segments.cpp"
#include "core/pv/xen_leaves.cpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {

struct Injected {
    unsigned count;
    unsigned vector;
    uint32_t error_code;
    uint64_t address;
};
inline Injected injected;
inline Features the_features;

}  // namespace fake

inline void inject_exception(Vcpu&, GuestFrame&, uint8_t vector, uint32_t error_code)
{
    fake::injected = {fake::injected.count + 1, vector, error_code, 0};
}
inline void inject_page_fault(Vcpu&, GuestFrame&, uint64_t address, uint32_t error_code)
{
    fake::injected = {fake::injected.count + 1, 14, error_code, address};
}
inline const Features& features() { return fake::the_features; }

namespace test {

inline constexpr uint64_t code_at = 0xFFFF'FFFF'8100'0000;
inline constexpr uint64_t data_at = 0xFFFF'C900'0000'0000;

template <bool intel>
CpuidResult host(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0: return {0xD, intel ? 0x756E6547u : 0x68747541u, 0, 0};
    case 1: return {0x906EA, 0x0800, 0xFFFF'FFFF, 0xFFFF'FFFF};
    case 7: return subleaf == 0 ? CpuidResult{0, 0xFFFF'FFFF, 0xFFFF'FFFF, 0xFFFF'FFFF} : CpuidResult{};
    case 0xD: return subleaf == 2 ? CpuidResult{256, 576, 0, 0} : CpuidResult{7, 832, 832, 0};
    case 0x8000'0000: return {0x8000'0008, 0, 0, 0};
    case 0x8000'0001: return {0, 0, 0xFFFF'FFFF, 0xFFFF'FFFF};
    case 0x8000'0008: return {0x3027, 0, 0, 0};
    default: return {};
    }
}

struct EmulateFixture : Utest
{
    Partition partition = {};
    plan::Partition plan = {};
    Vcpu vcpu = {};
    vcpu_info_t info = {};
    GuestFrame frame = {};
    uint8_t code[64] = {};
    uint8_t data[64] = {};

    void setup() override
    {
        fake::reset_core();
        fake::injected = {};
        fake::registers = {};
        fake::xcr0 = 1;
        fake::time_stamp_disable = false;
        plan.name = {"gateway"};
        partition.plan = &plan;
        partition.vcpus = std::span(&vcpu, 1);
        vcpu.partition = &partition;
        vcpu.info = &info;
        vcpu.pv.kernel_mode = true;
        vcpu.pv.iopl = 1;
        vcpu.pv.kernel_table = Mfn(0x12345);
        frame.cs = FLAT_RING3_CS64;
        frame.rip = code_at;
        frame.rflags = 0x202;
        fake::map_guest(GuestVirtual(code_at), code, sizeof(code));
        fake::map_guest(GuestVirtual(data_at), data, sizeof(data));
        use_host(true);
    }
    void teardown() override
    {
        fake::guest_regions = {};
        fake::log_lines = {};
        fake::selectors_of_64bit_code.clear();
    }
    void use_host(bool intel)
    {
        init_cpuid_policy(intel ? host<true> : host<false>, 7, true);
        init_msr_policy({.microcode_revision = 0x42, .arch_capabilities = ~uint64_t{0}});
    }
    Emulation run(std::initializer_list<uint8_t> bytes)
    {
        frame.rip = code_at;
        std::copy(bytes.begin(), bytes.end(), code);
        return emulate_privileged(vcpu, frame);
    }
    void check_done(std::initializer_list<uint8_t> bytes)
    {
        CHECK(run(bytes) == Emulation::done);
        CHECK_EQUAL(code_at + bytes.size(), frame.rip);
    }
    // Refused in either way: the guest gets its #GP.
    void check_refused(std::initializer_list<uint8_t> bytes)
    {
        const GuestFrame before = frame;
        const Emulation result = run(bytes);
        CHECK(result == Emulation::inject_gp || result == Emulation::reflect);
        CHECK_EQUAL(code_at, frame.rip);
        frame.rip = before.rip;
        MEMCMP_EQUAL(&before, &frame, sizeof(frame));
    }
    bool rdmsr(uint32_t msr, uint64_t& value)
    {
        frame.rcx = msr;
        if (run({0x0F, 0x32}) != Emulation::done)
            return false;
        value = frame.rdx << 32 | frame.rax;
        return true;
    }
    bool wrmsr(uint32_t msr, uint64_t value)
    {
        frame.rcx = msr | 0xABCD'0000'0000'0000;     // upper halves do not count
        frame.rax = (value & 0xFFFF'FFFF) | 0x1111'0000'0000'0000;
        frame.rdx = (value >> 32) | 0x2222'0000'0000'0000;
        return run({0x0F, 0x30}) == Emulation::done;
    }
    long hypercall(HypercallHandler handler, uint64_t a, uint64_t b = 0)
    {
        HypercallArguments arguments = {{a, b, 0, 0, 0, 0}};
        return handler(vcpu, arguments);
    }
    template <class T>
    long physdev(uint64_t command, T request)
    {
        fake::map_guest(0x5000, request);
        const long result = hypercall(do_physdev_op, command, 0x5000);
        fake::unmap_guest(GuestVirtual(0x5000));
        return result;
    }
};

}  // namespace test

}  // namespace bulkhead
