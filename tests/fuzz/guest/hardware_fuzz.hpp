// SPDX-License-Identifier: BSD-2-Clause
// The hardware fuzzing guest: what its parts share.
#pragma once

#include "choice.hpp"
#include "hardware/cpu.hpp"
#include "hardware_layout.h"

#include <cstddef>
#include <cstring>

// How an operation begins. hardware_modes.S reads it by the offsets of hardware_layout.h.
struct Block {
    uint32_t efer, cr3, cr4, cr0, task;
    uint16_t gates_limit, gates_low, gates_high, reserved;
    uint32_t real, ds, ss, esp, flags;
};
static_assert(offsetof(Block, gates_limit) == BLOCK_GATES && offsetof(Block, real) == BLOCK_REAL);
static_assert(offsetof(Block, esp) == BLOCK_ESP);

// Random instructions for the page at RANDOM_CODE: what no CPU should care about, and what it should.
void fill_code(Choice& choice, uint8_t* code, size_t bytes);
// A value that finds edges; most that may be addresses lie in the arena.
uint32_t any_value(Choice& choice);
