// SPDX-License-Identifier: BSD-2-Clause
// Random instructions: bytes as they come, and templates of those in which a hypervisor has a hand. The same
// bytes mean other things in other modes; that is as good as any other instruction.
#include "hardware_fuzz.hpp"

namespace {

struct Template {
    uint8_t length;
    uint8_t byte[7];
};

// Code with a ModRM byte goes on with a random one.
constexpr Template with_operand[] = {
    {2, {0x0F, 0x00}}, {2, {0x0F, 0x01}},                       // descriptor tables, INVLPG, VM*, XSETBV, ...
    {2, {0x0F, 0x20}}, {2, {0x0F, 0x22}},                       // control registers
    {2, {0x0F, 0x21}},                                          // debug registers: reads
    {2, {0x0F, 0xC7}}, {3, {0x66, 0x0F, 0xC7}}, {3, {0xF3, 0x0F, 0xC7}},    // VMPTRLD, VMCLEAR, VMXON, XRSTORS
    {2, {0x0F, 0x78}}, {2, {0x0F, 0x79}},                       // VMREAD, VMWRITE
    {4, {0x66, 0x0F, 0x38, 0x80}}, {4, {0x66, 0x0F, 0x38, 0x81}}, {4, {0x66, 0x0F, 0x38, 0x82}},   // INVEPT, INVVPID, INVPCID
    {2, {0x0F, 0xAE}}, {3, {0xF3, 0x0F, 0xAE}},                 // XSAVE, XRSTOR, WRFSBASE, ...
    {1, {0x8E}}, {1, {0x8C}},                                   // segment registers
    {1, {0xFF}}, {1, {0x8F}}, {2, {0x0F, 0xB2}}, {2, {0x0F, 0xB4}}, {2, {0x0F, 0xB5}},
    {2, {0x0F, 0x02}}, {2, {0x0F, 0x03}}, {1, {0x62}}, {1, {0x63}}, {1, {0xC4}}, {1, {0xC5}},
};

constexpr Template plain[] = {
    {3, {0x0F, 0x01, 0xC1}}, {3, {0x0F, 0x01, 0xD9}},           // VMCALL, VMMCALL
    {3, {0x0F, 0x01, 0xD8}}, {3, {0x0F, 0x01, 0xDA}}, {3, {0x0F, 0x01, 0xDB}}, {3, {0x0F, 0x01, 0xDC}},
    {3, {0x0F, 0x01, 0xDD}}, {3, {0x0F, 0x01, 0xDE}}, {3, {0x0F, 0x01, 0xDF}},      // VMRUN to INVLPGA
    {3, {0x0F, 0x01, 0xC2}}, {3, {0x0F, 0x01, 0xC3}}, {3, {0x0F, 0x01, 0xC4}},      // VMLAUNCH, VMRESUME, VMXOFF
    {3, {0x0F, 0x01, 0xC8}}, {3, {0x0F, 0x01, 0xC9}},           // MONITOR, MWAIT
    {3, {0x0F, 0x01, 0xD0}}, {3, {0x0F, 0x01, 0xD1}},           // XGETBV, XSETBV
    {3, {0x0F, 0x01, 0xF8}}, {3, {0x0F, 0x01, 0xF9}},           // SWAPGS, RDTSCP
    {2, {0x0F, 0x05}}, {2, {0x0F, 0x07}}, {2, {0x0F, 0x34}}, {2, {0x0F, 0x35}},     // SYSCALL to SYSEXIT
    {2, {0x0F, 0x06}}, {2, {0x0F, 0x08}}, {2, {0x0F, 0x09}}, {2, {0x0F, 0x0B}},     // CLTS, INVD, WBINVD, UD2
    {2, {0x0F, 0x30}}, {2, {0x0F, 0x31}}, {2, {0x0F, 0x32}}, {2, {0x0F, 0x33}},     // WRMSR, RDTSC, RDMSR, RDPMC
    {2, {0x0F, 0x37}}, {2, {0x0F, 0xA2}}, {2, {0x0F, 0xAA}},    // GETSEC, CPUID, RSM
    {3, {0x66, 0x0F, 0xA2}}, {4, {0x66, 0x67, 0x0F, 0x32}},     // with prefixes
    {1, {0xF4}}, {1, {0xF1}}, {1, {0xCC}}, {1, {0xCE}},         // HLT, INT1, INT3, INTO
    {1, {0xCF}}, {2, {0x66, 0xCF}}, {2, {0x48, 0xCF}}, {1, {0xCB}}, {2, {0x48, 0xCB}},     // IRET, far RET
    {1, {0xFA}}, {1, {0xFB}}, {2, {0xFB, 0xF4}}, {2, {0xFA, 0xF4}},     // CLI, STI, and HLT behind
    {1, {0x9C}}, {1, {0x9D}}, {1, {0x17}}, {1, {0x07}},         // PUSHF, POPF, POP SS, POP ES
    {1, {0xEC}}, {1, {0xED}}, {1, {0xEE}}, {1, {0xEF}},         // IN, OUT
    {2, {0xF3, 0xA4}}, {2, {0xF3, 0xAB}}, {1, {0xD7}}, {1, {0xC9}},
    {2, {0xEB, 0xFE}},                                          // for ever
};

constexpr uint32_t msrs[] = {
    0x10, 0x1B, 0x3A, 0x48, 0x49, 0x8B, 0xE7, 0x10A, 0x10B, 0x174, 0x175, 0x176, 0x179, 0x17A, 0x186, 0x198, 0x1A0, 0x1D9,
    0x200, 0x250, 0x277, 0x2FF, 0x38F, 0x480, 0x48B, 0x490, 0x6A0, 0x6A2, 0x6E0, 0xDA0,
    0x40000000, 0x40000001, 0xC0000080, 0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084, 0xC0000100, 0xC0000101,
    0xC0000102, 0xC0000103, 0xC0000104, 0xC0010010, 0xC0010015, 0xC0010058, 0xC0010114, 0xC0010115, 0xC0010117,
    0xC0011029, 0xC001102A,
};

constexpr uint8_t selectors[] = {0, CODE64, DATA32, CODE32, CODE16, DATA16, LIMITED, CODE64_USER, CODE32_USER, DATA_USER,
                                 TASK64, TASK32};

class Writer {
public:
    Writer(Choice& choice, uint8_t* at, size_t room) : choice_(choice), at_(at), end_(at + room), spare_qemu_(!is_strict()) {}

    [[nodiscard]] bool has_room() const { return end_ - at_ > 40; }

    void one()
    {
        const uint64_t kind = choice_.below(100);
        if (kind < 22)
            for (uint64_t i = choice_.below(6) + 1; i != 0; --i)
                byte(static_cast<uint8_t>(choice_.next() >> 24));
        else if (kind < 42)
            operand_of(with_operand[choice_.below(sizeof(with_operand) / sizeof(with_operand[0]))]);
        else if (kind < 62)
            put(plain[choice_.below(sizeof(plain) / sizeof(plain[0]))]);
        else if (kind < 72)
            model_specific();
        else if (kind < 80)
            control_register();
        else if (kind < 85)
            far_jump();
        else if (kind < 89)
            load_segment();
        else if (kind < 93)
            software_interrupt();
        else
            load_register(static_cast<uint8_t>(choice_.below(8)), any_value(choice_));
    }

private:
    void byte(uint8_t value)
    {
        *at_++ = value = spare_qemu_ ? spared(value) : value;
        before_ = last_;
        last_ = value;
    }
    // QEMU 7.2 ends itself by breakpoints, and by exceptions after LTR of a null selector, which it takes.
    [[nodiscard]] uint8_t spared(uint8_t value) const
    {
        if (value == 0x23 && last_ == 0x0F)
            return 0x21;
        const bool is_ltr = before_ == 0x0F && last_ == 0x00 && (value & 0x38) == 0x18;
        return is_ltr ? value ^ 0x10 : value;
    }
    void word(uint32_t value, unsigned bytes)
    {
        for (unsigned i = 0; i < bytes; ++i)
            byte(static_cast<uint8_t>(value >> (8 * i)));
    }
    void put(const Template& code)
    {
        for (unsigned i = 0; i < code.length; ++i)
            byte(code.byte[i]);
    }
    void operand_of(const Template& code)
    {
        put(code);
        // A register, or memory by a register: few of them go astray.
        const auto modrm = static_cast<uint8_t>(choice_.next() >> 16);
        byte(choice_.one_in(3) ? modrm : choice_.one_in(2) ? modrm | 0xC0 : modrm & 0x3F);
    }
    // Where operands have 16 bits this is one instruction with another behind.
    void load_register(uint8_t number, uint32_t value)
    {
        byte(static_cast<uint8_t>(0xB8 | number));
        word(value, 4);
    }
    void model_specific()
    {
        const uint32_t apic = 0x800 + static_cast<uint32_t>(choice_.below(0x40));
        const uint32_t number = choice_.one_in(3) ? apic : msrs[choice_.below(sizeof(msrs) / sizeof(msrs[0]))];
        load_register(1, number);
        if (choice_.one_in(2))
            load_register(2, choice_.one_in(2) ? 0 : any_value(choice_));
        load_register(0, any_value(choice_));
        byte(0x0F);
        byte(choice_.one_in(4) ? 0x32 : 0x30);
    }
    // A bit or two of it change.
    void control_register()
    {
        static constexpr uint8_t numbers[] = {0, 0, 0, 3, 4, 4, 8, 2};
        const uint8_t number = numbers[choice_.below(sizeof(numbers))];
        const auto modrm = static_cast<uint8_t>(0xC0 | (number & 7) << 3);
        const auto prefix = [&] { if (number == 8) byte(choice_.one_in(2) ? 0x44 : 0xF0); };
        prefix();
        word(0x200F, 2);
        byte(modrm);
        byte(0x35);
        word(1u << choice_.below(32) | (choice_.one_in(2) ? 1u << choice_.below(32) : 0), 4);
        prefix();
        word(0x220F, 2);
        byte(modrm);
    }
    void far_jump()
    {
        const bool stub = choice_.one_in(4);
        byte(stub ? 0x9A : 0xEA);
        word(RANDOM_CODE + static_cast<uint32_t>(choice_.below(RANDOM_CODE_BYTES)), 4);
        word(selectors[choice_.below(sizeof(selectors))], 2);
    }
    void load_segment()
    {
        static constexpr uint8_t registers[] = {0xD8, 0xC0, 0xE0, 0xE8, 0xD0, 0xC8};
        load_register(0, selectors[choice_.below(sizeof(selectors))]);
        if (choice_.one_in(4)) {
            word(0x000F, 2);                                    // LLDT, LTR
            byte(choice_.one_in(2) ? 0xD0 : 0xD8);
            return;
        }
        byte(0x8E);
        byte(registers[choice_.below(sizeof(registers))]);
    }
    void software_interrupt()
    {
        byte(0xCD);
        byte(static_cast<uint8_t>(choice_.one_in(2) ? choice_.below(32) : choice_.next() >> 20));
    }

    Choice& choice_;
    uint8_t* at_;
    uint8_t* end_;
    bool spare_qemu_;
    uint8_t last_ = 0, before_ = 0;
};

}  // namespace

uint32_t any_value(Choice& choice)
{
    switch (choice.below(8)) {
    case 0:
        return static_cast<uint32_t>(choice.next() >> 8);
    case 1:
        return 1u << choice.below(32);
    case 2:
        return static_cast<uint32_t>(choice.below(256));
    case 3:
        return static_cast<uint32_t>(choice.of({0xFFFF'FFFF, 0x7FFF'FFFF, 0x8000'0000, 0x1'0000, 0xFFFF, 0xFFF, 0xC0000000, 0x604}));
    default:
        return ARENA + static_cast<uint32_t>(choice.below(ARENA_BYTES));
    }
}

void fill_code(Choice& choice, uint8_t* code, size_t bytes)
{
    Writer writer(choice, code, bytes);
    while (writer.has_room())
        writer.one();
}
