/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the core and the machine service of a hardware partition: the core asks what an instruction
 * does that has reached for a device's registers, the service answers with what it decoded and nothing
 * else. The core checks each answer; it carries the instruction out itself. Plain C.
 */
#ifndef BULKHEAD_ABI_MACHINE_H
#define BULKHEAD_ABI_MACHINE_H

#include <stdint.h>

/* A slot is a vCPU of the partition, by its number. */
#define BULKHEAD_MACHINE_SLOTS 32
#define BULKHEAD_INSTRUCTION_BYTES 15

enum bulkhead_code_mode {
    BULKHEAD_CODE_16 = 0,     /* real mode as well */
    BULKHEAD_CODE_32 = 1,
    BULKHEAD_CODE_64 = 2
};

/* Written by the core before the slot's bit is set, and not changed while it is. */
struct bulkhead_instruction {
    uint8_t bytes[BULKHEAD_INSTRUCTION_BYTES];
    uint8_t length;           /* of what the guest's memory has there, 1 to 15 */
    uint8_t mode;             /* BULKHEAD_CODE_* */
    uint8_t reserved0;
    uint16_t ticket;          /* to be given back with the answer */
    uint32_t reserved1[3];
};

/* The core's, read-only for the service. */
struct bulkhead_machine_page {
    uint32_t waiting;         /* bit n: slot n waits for an answer */
    uint32_t reserved[7];
    struct bulkhead_instruction slots[BULKHEAD_MACHINE_SLOTS];
};

/* BULKHEADOP_machine_page. -EPERM: the caller is no machine service. */
struct bulkhead_machine_info {
    uint64_t page_mfn;        /* may be mapped, read-only */
    uint32_t slots;           /* vCPUs of the partition */
    uint32_t reserved;
};

/*
 * BULKHEADOP_machine_turn: (operation, slot or BULKHEAD_NO_SLOT, answer). Takes the slot's answer, if there
 * is one, and comes back when a slot waits, or for no reason. 0; -EPERM: the caller is no machine service;
 * -EINVAL: there is no such slot, or it does not wait (any more).
 */
#define BULKHEAD_NO_SLOT 0xffffffffu

/*
 * An answer is 64 bits: a 32-bit immediate, then
 *   32-35 length of the instruction in bytes, 36-39 BULKHEAD_DOES_*, 40-43 number of the register,
 *   44 the immediate stands in the register's place, 45 memory is the destination,
 *   46-47 what is read or written in memory: 1 << n bytes, 48-63 the ticket.
 * Registers are those of 32 bits; what is narrower in memory is filled up with zeros. Anything else
 * that instructions do is answered with BULKHEAD_DOES_nothing_known.
 */
enum bulkhead_does {
    BULKHEAD_DOES_nothing_known = 0,
    BULKHEAD_DOES_move = 1,
    BULKHEAD_DOES_exchange = 2,
    BULKHEAD_DOES_add = 3,
    BULKHEAD_DOES_or = 4,
    BULKHEAD_DOES_and = 5,
    BULKHEAD_DOES_subtract = 6,
    BULKHEAD_DOES_xor = 7,
    BULKHEAD_DOES_compare = 8,
    BULKHEAD_DOES_test = 9
};
#define BULKHEAD_ANSWER_LENGTH_SHIFT 32
#define BULKHEAD_ANSWER_DOES_SHIFT 36
#define BULKHEAD_ANSWER_REGISTER_SHIFT 40
#define BULKHEAD_ANSWER_IMMEDIATE (UINT64_C(1) << 44)
#define BULKHEAD_ANSWER_TO_MEMORY (UINT64_C(1) << 45)
#define BULKHEAD_ANSWER_SIZE_SHIFT 46
#define BULKHEAD_ANSWER_TICKET_SHIFT 48

#endif /* BULKHEAD_ABI_MACHINE_H */
