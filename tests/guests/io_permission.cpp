// SPDX-License-Identifier: BSD-2-Clause
// Claim: user code reaches an I/O port if the kernel's PHYSDEVOP_set_iopl or its bitmap admits it, and
// faults with #GP otherwise; the bitmap is read when the access is made.
#include "framework/memory.hpp"
#include "framework/user.hpp"

extern "C" {
#include <xen/physdev.h>
}

namespace {

constexpr long EINVAL = 22;
constexpr uint64_t diagnostic_port = 0x80;           // whatever answers there, reading does no harm

unsigned faults;

void set_iopl(uint32_t level)
{
    physdev_set_iopl_t iopl = {level};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, as_argument(&iopl)));
}

long set_bitmap(uint8_t* bitmap, uint32_t ports)
{
    physdev_set_iobitmap_t request = {};
    set_xen_guest_handle_raw(request.bitmap, bitmap);
    request.nr_ports = ports;
    return hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iobitmap, as_argument(&request));
}

bool user_reads(uint64_t port)
{
    faults = 0;
    in_user_mode([](uint64_t which) -> uint64_t {
        uint64_t value = 0;
        asm volatile("nop\n in %%dx, %%al\n nop" : "+a"(value) : "d"(which));
        return value;
    }, port);
    return faults == 0;
}

bool user_reads_two_ports(uint64_t port)
{
    faults = 0;
    in_user_mode([](uint64_t which) -> uint64_t {
        uint64_t value = 0;
        asm volatile("nop\n .byte 0x66\n in %%dx, %%eax\n nop" : "+a"(value) : "d"(which));
        return value;
    }, port);
    return faults == 0;
}

}  // namespace

GUEST_TEST(io_permission)
{
    install_traps();
    install_user_mode();
    trap_handlers[13] = [](TrapFrame& frame) {
        CHECK_EQUAL(0, frame.error_code);
        CHECK_EQUAL(3, frame.cs & 3);
        ++faults;
        frame.rip += *reinterpret_cast<const uint8_t*>(frame.rip) == 0x66 ? 2 : 1;
    };
    set_iopl(1);                                     // the kernel's own
    CHECK(!user_reads(diagnostic_port));
    set_iopl(3);
    CHECK(user_reads(diagnostic_port));
    set_iopl(1);
    CHECK(!user_reads(diagnostic_port));

    auto* bitmap = new_page_as<uint8_t>();
    for (unsigned i = 0; i < page_bytes; ++i)
        bitmap[i] = 0xff;
    CHECK_EQUAL(-EINVAL, set_bitmap(bitmap, 65537));
    CHECK_EQUAL(0, set_bitmap(bitmap, 1024));
    CHECK(!user_reads(diagnostic_port));
    bitmap[diagnostic_port / 8] = 0xfe;
    CHECK(user_reads(diagnostic_port));
    CHECK(!user_reads_two_ports(diagnostic_port));   // the second is not admitted
    bitmap[diagnostic_port / 8] = 0xfc;
    CHECK(user_reads_two_ports(diagnostic_port));
    CHECK(!user_reads(1024));                        // beyond the bitmap
    CHECK_EQUAL(0, set_bitmap(bitmap, diagnostic_port));
    CHECK(!user_reads(diagnostic_port));
    CHECK_EQUAL(0, set_bitmap(nullptr, 0));
    CHECK(!user_reads(diagnostic_port));
}
