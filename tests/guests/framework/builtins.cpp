// SPDX-License-Identifier: BSD-2-Clause
// The functions that the compiler calls on its own.
#include <cstddef>

extern "C" {

void* memcpy(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int memcmp(const void* left, const void* right, size_t bytes);

void* memcpy(void* to, const void* from, size_t bytes)
{
    void* destination = to;
    asm volatile("rep movsb" : "+D"(destination), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void* memset(void* to, int value, size_t bytes)
{
    void* destination = to;
    asm volatile("rep stosb" : "+D"(destination), "+c"(bytes) : "a"(value) : "memory");
    return to;
}

int memcmp(const void* left, const void* right, size_t bytes)
{
    const auto* a = static_cast<const unsigned char*>(left);
    const auto* b = static_cast<const unsigned char*>(right);
    for (size_t i = 0; i < bytes; ++i)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

}
