// SPDX-License-Identifier: BSD-2-Clause
// Single privileged instructions as functions: ports, control registers, descriptor tables, and
// memory-mapped registers. For platform/x86/ and boot/ only; the core sees machine/*.hpp.
#pragma once

#include "machine/segments.hpp"

#include <cstddef>
#include <cstdint>

namespace bulkhead::x86 {

inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline void out8(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
inline void out16(uint16_t port, uint16_t value)
{
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
inline void out32(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

inline uint64_t read_cr0()
{
    uint64_t value;
    asm volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}
inline uint64_t read_cr2()
{
    uint64_t value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
inline uint64_t read_cr3()
{
    uint64_t value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
inline uint64_t read_cr4()
{
    uint64_t value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
inline void write_cr0(uint64_t value) { asm volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }
inline void write_cr3(uint64_t value) { asm volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }
inline void write_cr4(uint64_t value) { asm volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }

inline void invalidate_page(uint64_t address)
{
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}
inline void write_back_caches() { asm volatile("wbinvd" : : : "memory"); }
inline void pause() { asm volatile("pause" : : : "memory"); }
[[noreturn]] inline void halt_for_ever()
{
    for (;;)
        asm volatile("cli; hlt" : : : "memory");
}

using machine::TablePointer;     // for LGDT and LIDT

inline void load_gdt(const TablePointer& pointer) { asm volatile("lgdt %0" : : "m"(pointer)); }
inline void load_idt(const TablePointer& pointer) { asm volatile("lidt %0" : : "m"(pointer)); }
inline TablePointer read_idt()
{
    TablePointer pointer;
    asm volatile("sidt %0" : "=m"(pointer));
    return pointer;
}
inline void load_task_register(uint16_t selector) { asm volatile("ltr %0" : : "r"(selector)); }
inline void load_ldt(uint16_t selector) { asm volatile("lldt %0" : : "r"(selector)); }

// Memory-mapped registers: exactly one access of the type's width.
template <class T>
inline T read_register(const volatile void* base, size_t offset)
{
    return *reinterpret_cast<const volatile T*>(static_cast<const volatile char*>(base) + offset);
}
template <class T>
inline void write_register(volatile void* base, size_t offset, T value)
{
    *reinterpret_cast<volatile T*>(static_cast<volatile char*>(base) + offset) = value;
}

}  // namespace bulkhead::x86
