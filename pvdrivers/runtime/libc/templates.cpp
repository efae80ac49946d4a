// SPDX-License-Identifier: BSD-2-Clause
// What libstdc++'s headers expect to find in its library: the string class as compiled code. Only what
// a program uses is linked.
#include <memory>
#include <string>

namespace std {

template class basic_string<char>;
template basic_string<char>::basic_string(const char*, const allocator<char>&);

bool _Sp_make_shared_tag::_S_eq(const type_info&) noexcept { return false; }     // there is no RTTI

}  // namespace std
