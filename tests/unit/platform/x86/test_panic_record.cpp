// SPDX-License-Identifier: BSD-2-Clause
// The record of a panic: believed only whole.
#include "platform/x86/panic_record.hpp"

#include "platform/x86/panic_record.cpp"

#include <memory>
#include <string>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(PanicRecord)
{
    std::unique_ptr<PanicRecord> record = std::make_unique<PanicRecord>();

    void setup() override { std::memset(static_cast<void*>(record.get()), 0xAA, sizeof(PanicRecord)); }
    uint8_t* bytes() { return reinterpret_cast<uint8_t*>(record.get()); }
};

TEST(PanicRecord, shows_nothing_of_memory_as_it_comes)
{
    CHECK_TRUE(record->sealed_text().empty());
    std::memset(static_cast<void*>(record.get()), 0, sizeof(PanicRecord));
    CHECK_TRUE(record->sealed_text().empty());
}

TEST(PanicRecord, gives_back_what_was_sealed)
{
    record->clear();
    record->append("first\n");
    record->append("second\n");
    CHECK_TRUE(record->sealed_text().empty());
    record->seal();
    CHECK(std::string(record->sealed_text()) == "first\nsecond\n");
}

TEST(PanicRecord, is_forgotten_when_cleared)
{
    record->clear();
    record->append("text");
    record->seal();
    record->clear();
    CHECK_TRUE(record->sealed_text().empty());
}

TEST(PanicRecord, keeps_what_fits)
{
    record->clear();
    const std::string line(1000, 'x');
    for (int i = 0; i < 30; ++i)
        record->append(line);
    record->seal();
    LONGS_EQUAL(panic_record_bytes - 16, record->sealed_text().size());
}

TEST(PanicRecord, is_not_believed_when_a_bit_has_changed)
{
    record->clear();
    record->append("some text");
    record->seal();
    for (size_t bit = 0; bit < (16 + 9) * 8; ++bit) {
        bytes()[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
        CHECK_TRUE(record->sealed_text().empty());
        bytes()[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    }
    CHECK_FALSE(record->sealed_text().empty());
}
