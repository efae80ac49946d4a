// SPDX-License-Identifier: BSD-2-Clause
// Whether vector registers keep their values while others use the CPU.
#pragma once

// Fills all registers from the seed, sleeps, looks; so many rounds. How many rounds went wrong.
[[nodiscard]] unsigned vectors_kept(unsigned seed, unsigned rounds);
// Which registers these are, as a claim.
[[nodiscard]] const char* vectors_name();
