// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of libstdc++'s Linux definitions: there is no operating
// system below us and the C library is newlib, so nothing of glibc is named.
#pragma once
#define __NO_CTYPE 1
