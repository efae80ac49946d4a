// SPDX-License-Identifier: BSD-2-Clause
// First of all includes: the targets of ring 0 are compiled with a claim about concepts that gives
// clang 14 <expected>. With it <optional> and <variant>, which the host tool uses, do not compile.
#pragma once

#ifdef __clang__
#pragma clang diagnostic ignored "-Wbuiltin-macro-redefined"
#undef __cpp_concepts
#define __cpp_concepts 201907L
#endif
