// SPDX-License-Identifier: BSD-2-Clause
// Distinct types for the numbers that must never be mixed up: addresses of each address space,
// frames, CPUs, vCPUs, domains, ports, grants and time. As small as their representation.
// Nothing here allocates, and nothing converts implicitly.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

// An integer that is only comparable with, and only advanced by, what is meant.
template <class Tag, class Representation>
class Number {
public:
    using representation = Representation;
    constexpr Number() = default;
    constexpr explicit Number(Representation value) : value_(value) {}
    [[nodiscard]] constexpr Representation raw() const { return value_; }
    constexpr auto operator<=>(const Number&) const = default;
    constexpr Number operator+(Representation count) const
    {
        return Number(static_cast<Representation>(value_ + count));
    }
    constexpr Number operator-(Representation count) const
    {
        return Number(static_cast<Representation>(value_ - count));
    }
    constexpr Representation operator-(Number other) const
    {
        return static_cast<Representation>(value_ - other.value_);
    }
    constexpr Number& operator++()
    {
        ++value_;
        return *this;
    }
    constexpr Number& operator+=(Representation count)
    {
        value_ = static_cast<Representation>(value_ + count);
        return *this;
    }

private:
    Representation value_{};
};

using Mfn = Number<struct MfnTag, uint64_t>;                    // machine (host-physical) frame number
using Pfn = Number<struct PfnTag, uint64_t>;                    // a partition's own frame number
using HostPhysical = Number<struct HostPhysicalTag, uint64_t>;  // byte address on the machine's bus
using GuestVirtual = Number<struct GuestVirtualTag, uint64_t>;  // address in the running guest's space
using CpuNumber = Number<struct CpuTag, uint16_t>;              // dense, 0 is the boot CPU
using VcpuNumber = Number<struct VcpuTag, uint16_t>;            // within one partition
using DomainId = Number<struct DomainTag, uint16_t>;            // Xen's domid_t
using Port = Number<struct PortTag, uint32_t>;                  // event channel port, 0 is none
using GrantRef = Number<struct GrantTag, uint32_t>;
using TscTicks = Number<struct TscTag, uint64_t>;
using Nanoseconds = Number<struct NanosecondsTag, uint64_t>;    // since the core's start (system time)

inline constexpr unsigned page_shift = 12;
inline constexpr uint64_t page_size = uint64_t{1} << page_shift;
inline constexpr uint64_t page_mask = page_size - 1;
inline constexpr Mfn invalid_mfn{~uint64_t{0}};
inline constexpr Nanoseconds never{~uint64_t{0}};

constexpr HostPhysical address_of(Mfn frame) { return HostPhysical(frame.raw() << page_shift); }
constexpr Mfn frame_of(HostPhysical address) { return Mfn(address.raw() >> page_shift); }
constexpr uint64_t frames_for(uint64_t size_bytes) { return (size_bytes + page_mask) >> page_shift; }
constexpr uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace bulkhead
