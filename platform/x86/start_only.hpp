// SPDX-License-Identifier: BSD-2-Clause
// Marks functions that nothing calls after the start: they lie on pages of their own, which are
// unmapped then (unmap_start_code()). Not for templates, whose code others may share.
#pragma once

#define START_ONLY [[gnu::section(".init.text")]]
