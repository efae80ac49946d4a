// SPDX-License-Identifier: BSD-2-Clause
// Source for the key's form: RFC 8410, "Private Key Format".
#include "boot/image/slot_image.hpp"

#include <algorithm>
#include <elf.h>
#include <sodium.h>

#include "boot/loader/slot_key.hpp"
#include "boot/plan/elf_file.hpp"
#include "boot/plan/hash.hpp"
#include "boot/plan/image.hpp"
#include "core/plan.hpp"

namespace bulkhead::tool {

namespace {

constexpr std::string_view pem_begin = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view pem_end = "-----END PRIVATE KEY-----";
constexpr std::array<uint8_t, 16> der_before_seed{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                  0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::string_view key_mark = "BULKHEAD-KEY-IS:";

struct FlatCore {
    uint64_t physical = ~uint64_t{0};
    uint64_t memory_bytes = 0;
    Bytes content;
};

// Everything that is loaded but the plan, as it lies in memory.
Outcome<FlatCore> flatten(const ElfFile& elf, View plan_bytes)
{
    FlatCore core;
    std::vector<const ElfSegment*> loaded;
    for (const auto& segment : elf.segments) {
        if (segment.type != PT_LOAD || segment.memory_bytes == 0 || segment.content.data() == plan_bytes.data())
            continue;
        loaded.push_back(&segment);
        core.physical = std::min(core.physical, segment.physical_address);
    }
    if (loaded.empty())
        return refuse("has nothing to load");
    for (const auto* segment : loaded) {
        const uint64_t offset = segment->physical_address - core.physical;
        if (offset + segment->memory_bytes > loader::most_core_bytes)
            return refuse("has a core of more than ", Size{loader::most_core_bytes});
        core.memory_bytes = std::max(core.memory_bytes, offset + segment->memory_bytes);
        const uint64_t end = offset + segment->content.size();
        if (core.content.size() < end)
            core.content.resize(end);
        std::copy(segment->content.begin(), segment->content.end(), core.content.begin() + static_cast<ptrdiff_t>(offset));
    }
    return core;
}

void sign(loader::SlotHeader& header, const SigningKey& key)
{
    const View content = view_of(header).first(loader::signed_bytes);
    crypto_sign_ed25519_detached(header.signature.data(), nullptr, content.data(), content.size(), key.secret.data());
}

}  // namespace

Outcome<SigningKey> parse_key(View pem)
{
    const std::string_view text(reinterpret_cast<const char*>(pem.data()), pem.size());
    const auto begin = text.find(pem_begin);
    const auto end = text.find(pem_end);
    if (begin == text.npos || end == text.npos || end < begin)
        return refuse("is no private key in PEM; make one with `openssl genpkey -algorithm ed25519`");
    const auto base64 = text.substr(begin + pem_begin.size(), end - begin - pem_begin.size());
    std::array<uint8_t, 64> der{};
    size_t length = 0;
    if (sodium_base642bin(der.data(), der.size(), base64.data(), base64.size(), "\r\n ", &length, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0
        || length != der_before_seed.size() + crypto_sign_ed25519_SEEDBYTES
        || !std::equal(der_before_seed.begin(), der_before_seed.end(), der.begin()))
        return refuse("is no Ed25519 key; make one with `openssl genpkey -algorithm ed25519`");
    SigningKey key{};
    crypto_sign_ed25519_seed_keypair(key.open.data(), key.secret.data(), der.data() + der_before_seed.size());
    return key;
}

Outcome<Bytes> make_slot(View image, const SlotSettings& settings, const SigningKey& key)
{
    const auto elf = ATTEMPT(parse_elf(image));
    const View plan_bytes = ATTEMPT(plan_in_image(image));
    FlatCore core = ATTEMPT(flatten(elf, plan_bytes));
    loader::SlotHeader header{};
    header.magic = loader::slot_magic;
    header.format = loader::slot_format;
    header.header_bytes = sizeof(header);
    header.version = settings.version;
    header.minimum_version = settings.minimum_version;
    header.core_bytes = core.content.size();
    header.core_memory_bytes = core.memory_bytes;
    header.core_physical = core.physical;
    header.entry = elf.entry;
    header.tries = settings.tries;
    Bytes content = std::move(core.content);
    pad_to(content, loader::slot_page_bytes);
    header.plan_offset = content.size();
    header.plan_bytes = plan_bytes.size();
    const auto plan_header = read_at<plan::Header>(plan_bytes, 0);
    if (!plan_header || plan_header->magic != plan::magic || plan_header->version != plan::version)
        return refuse("holds a plan of another version of bulkhead-plan");
    header.health_seconds = plan_header->slot_health_s;
    const auto model = slice(plan_bytes, plan_header->model.offset, plan_header->model.count);
    if (model)
        std::copy_n(model->begin(), std::min(model->size(), header.description.size() - 1), header.description.begin());
    append(content, plan_bytes);
    header.content_bytes = content.size();
    header.content_sha256 = sha256(content);
    sign(header, key);

    Bytes slot;
    slot.reserve(loader::slot_page_bytes + content.size());
    append(slot, view_of(header));
    pad_to(slot, loader::slot_page_bytes);
    append(slot, content);
    pad_to(slot, loader::slot_page_bytes);
    if (const char* wrong = loader::check_slot(header, slot.size()); wrong != nullptr)
        return refuse("cannot be a slot: ", wrong);
    return slot;
}

Outcome<Bytes> with_key(View loader, const loader::PublicKey& key)
{
    Bytes out(loader.begin(), loader.end());
    const auto found = std::search(out.begin(), out.end(), key_mark.begin(), key_mark.end());
    if (found == out.end() || static_cast<size_t>(out.end() - found) < sizeof(loader::CompiledKey))
        return refuse("has no mark ", key_mark, "; it is none of Bulkhead's loaders");
    if (std::search(found + 1, out.end(), key_mark.begin(), key_mark.end()) != out.end())
        return refuse("has the mark ", key_mark, " twice");
    std::copy(key.begin(), key.end(), found + static_cast<ptrdiff_t>(key_mark.size()));
    return out;
}

}  // namespace bulkhead::tool
