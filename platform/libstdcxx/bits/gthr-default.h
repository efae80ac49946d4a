// SPDX-License-Identifier: BSD-2-Clause
// libstdc++ without threads: no mutex, no once, no thread-local storage.
#pragma once
#include <bits/gthr-single.h>
