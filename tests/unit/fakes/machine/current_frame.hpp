// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/current_frame.hpp in unit tests: the test has the frame.
#pragma once

#include "core/guest_frame.hpp"

namespace bulkhead {

namespace fake {

inline thread_local GuestFrame frame;

}  // namespace fake

namespace machine {

inline GuestFrame& current_frame() { return fake::frame; }

}  // namespace machine

}  // namespace bulkhead
