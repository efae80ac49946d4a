// SPDX-License-Identifier: BSD-2-Clause
#include "core/pv/start_of_day.hpp"

#include "harness.hpp"
#include "units.hpp"

#include "core/pv/payload.cpp"
#include "core/pv/start_fill.cpp"
#include "core/pv/start_info.cpp"
#include "core/pv/start_of_day.cpp"
#include "core/pv/start_tables.cpp"

#include <lz4.h>
#include <csignal>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::fake;

namespace {

// A compiled plan with one partition's payloads, as the host tool writes it.
struct CompiledPlan {
    plan::Header header{};
    plan::Segment segments[3]{};
    plan::Payload payloads[2]{};
    char command_line[32] = "console=hvc0 quiet";
    alignas(8) unsigned char stored[200 * 1024]{};
    uint64_t stored_bytes = 0;

    template <class T>
    uint32_t offset_of(const T& object) const
    {
        return static_cast<uint32_t>(reinterpret_cast<const char*>(&object) - reinterpret_cast<const char*>(this));
    }
    void add(unsigned number, const std::string& content, plan::Encoding encoding)
    {
        plan::Payload& payload = payloads[number];
        payload.offset = offset_of(stored[stored_bytes]);
        payload.size_bytes = content.size();
        payload.encoding = encoding;
        const uint64_t begin = stored_bytes;
        for (size_t at = 0; at < content.size(); at += plan::payload_block_bytes) {
            const std::string block = content.substr(at, plan::payload_block_bytes);
            encoding == plan::Encoding::raw ? put(block.data(), block.size()) : put_lz4(block);
        }
        payload.stored_bytes = stored_bytes - begin;
    }
    void put(const void* from, size_t size_bytes)
    {
        std::memcpy(stored + stored_bytes, from, size_bytes);
        stored_bytes += size_bytes;
    }
    void put_lz4(const std::string& block)
    {
        std::string packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(block.size()))), 0);
        const int size = LZ4_compress_default(block.data(), packed.data(), static_cast<int>(block.size()),
                                              static_cast<int>(packed.size()));
        const bool smaller = static_cast<size_t>(size) < block.size();
        const auto stored_size = static_cast<uint32_t>(smaller ? static_cast<size_t>(size) : block.size());
        put(&stored_size, sizeof(stored_size));
        put(smaller ? packed.data() : block.data(), stored_size);
    }
};

}  // namespace

TEST_GROUP(StartOfDay)
{
    TwoPartitions two;
    CompiledPlan compiled;
    std::string kernel, ramdisk;

    void setup() override
    {
        for (unsigned i = 0; i < 100'000; ++i)
            kernel += static_cast<char>(i % 251 < 200 ? 'k' : i * i >> 3);
        for (unsigned i = 0; i < 33'000; ++i)
            ramdisk += static_cast<char>(i * 2654435761u >> 24);
        compiled.add(0, kernel, plan::Encoding::lz4);
        compiled.add(1, ramdisk, plan::Encoding::raw);
        compiled.segments[0] = {16, 30, 0, 0};
        compiled.segments[1] = {340, 20, 1, 0};
        compiled.header.payloads = {compiled.offset_of(compiled.payloads), 2};
        plan::Partition& plan = two.plans[0];
        plan.segments = {compiled.offset_of(compiled.segments), 2};
        plan.cmdline = {compiled.offset_of(compiled.command_line), static_cast<uint32_t>(std::strlen(compiled.command_line))};
        plan.console_port = 1;
        plan::PvStart& start = plan.pv;
        start.virt_base = 0xffffffff80000000;
        start.entry = 0xffffffff80010000;
        start.hypercall_page = 0xffffffff80011000;
        start.p2m_base = 0x8000000000;
        start.ramdisk_pfn = 340;
        start.ramdisk_bytes = ramdisk.size();
        start.ramdisk_by_pfn = 1;
        start.p2m_frames = 2;
        start.p2m_pfn = 600;
        start.p2m_tables_pfn = 602;
        start.p2m_tables_frames = 3;
        start.start_info_pfn = 400;
        start.store_pfn = plan::no_pfn;
        start.console_pfn = 401;
        start.tables_pfn = 402;
        start.tables_frames = 5;
        start.stack_pfn = 407;
        start.mapped_end_pfn = 512 + 80;
        // A mapping of a little more than 2 MiB has two L1 tables.
        start.mapped_end_pfn = 592;
        init_start_of_day(compiled.header);
        // Dirt everywhere: what another life left.
        for (uint64_t pfn = 0; pfn < frames_each; ++pfn)
            std::memset(words(two.fa(pfn)), 0xAA, page_size);
    }
    void teardown() override { two.check_all(); }

    BuildStep reset()
    {
        BuildStep step = BuildStep::more;
        for (unsigned i = 0; step == BuildStep::more && i < 10'000; ++i)
            step = reset_memory(two.a());
        return step;
    }
    BuildStep build()
    {
        BuildStep step = BuildStep::more;
        for (unsigned i = 0; step == BuildStep::more && i < 10'000; ++i)
            step = build_slice(two.a());
        return step;
    }
    void built()
    {
        CHECK_TRUE(reset() == BuildStep::done);
        CHECK_TRUE(build() == BuildStep::done);
        two.check_all();
    }
    // As the CPU walks.
    uint64_t leaf(uint64_t address)
    {
        Mfn table = two.a0().pv.kernel_table;
        for (unsigned shift = 39;; shift -= 9) {
            const uint64_t entry = words(table)[address >> shift & 511];
            if ((entry & pte::present) == 0 || shift == 12)
                return entry;
            table = pte::frame(entry);
        }
    }
    std::string content(uint64_t pfn, size_t size_bytes)
    {
        std::string text;
        for (; size_bytes != 0; ++pfn) {
            const size_t now = std::min<size_t>(size_bytes, page_size);
            text.append(machine::frame_pointer<char>(two.fa(pfn)), now);
            size_bytes -= now;
        }
        return text;
    }
    // All but the hypercall page, which is its second.
    bool has_kernel()
    {
        return kernel.substr(0, page_size) == content(16, page_size)
            && kernel.substr(2 * page_size) == content(18, kernel.size() - 2 * page_size);
    }
    bool is_zero(uint64_t pfn, size_t from = 0)
    {
        const char* bytes = machine::frame_pointer<char>(two.fa(pfn));
        return std::all_of(bytes + from, bytes + page_size, [](char byte) { return byte == 0; });
    }
    const start_info_t& info() { return *machine::frame_pointer<start_info_t>(two.fa(400)); }
    void fails_with(const char* sentence)
    {
        CHECK_TRUE(reset() == BuildStep::done);
        CHECK_TRUE(build() == BuildStep::failed);
        STRCMP_EQUAL(sentence, two.a().memory.build.failure);
        CHECK_TRUE(reset() == BuildStep::done);
    }
};

TEST(StartOfDay, PayloadsAreUnpackedToTheirFrames)
{
    built();
    CHECK_TRUE(has_kernel());
    CHECK_TRUE(ramdisk == content(340, ramdisk.size()));
}

TEST(StartOfDay, ABlockThatCrossesFromOneRangeToTheNextIsUnpackedToo)
{
    // Ranges meet at frame 350.
    compiled.segments[1] = {330, 30, 0, 0};
    two.plans[0].pv.ramdisk_pfn = 330;
    built();
    CHECK_TRUE(kernel == content(330, kernel.size()));
}

TEST(StartOfDay, EverythingElseIsScrubbed)
{
    built();
    for (uint64_t pfn = 0; pfn < given_each; ++pfn) {
        const bool used = (pfn >= 16 && pfn < 16 + 25) || (pfn >= 340 && pfn < 349) || pfn == 400
            || (pfn >= 402 && pfn < 407) || (pfn >= 600 && pfn < 605);
        if (!used)
            CHECK_TRUE(is_zero(pfn));
    }
    CHECK_TRUE(is_zero(16 + 24, kernel.size() % page_size));
    CHECK_TRUE(is_zero(348, ramdisk.size() % page_size));
}

TEST(StartOfDay, TheInitialMappingShowsTheFirstFrames)
{
    built();
    for (uint64_t pfn = 0; pfn < 592; ++pfn) {
        const bool is_table = (pfn >= 402 && pfn < 407);
        UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(pfn), is_table ? ro : rw), leaf(0xffffffff80000000 + pfn * page_size));
    }
    UNSIGNED_LONGLONGS_EQUAL(0, leaf(0xffffffff80000000 + 592 * page_size));
}

TEST(StartOfDay, TablesAreInTheAbisOrder)
{
    built();
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(402));
    CHECK_TRUE(frame_type(two.fa(402)) == FrameType::l4);
    CHECK_TRUE(frame_type(two.fa(403)) == FrameType::l3);
    CHECK_TRUE(frame_type(two.fa(404)) == FrameType::l2);
    CHECK_TRUE(frame_type(two.fa(405)) == FrameType::l1);
    CHECK_TRUE(frame_type(two.fa(406)) == FrameType::l1);
}

TEST(StartOfDay, TheFrameListIsMappedWhereTheKernelWantsIt)
{
    built();
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(600), rw), leaf(0x8000000000));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(601), rw), leaf(0x8000001000));
    UNSIGNED_LONGLONGS_EQUAL(0, leaf(0x8000002000));
    for (uint64_t pfn = 0; pfn < given_each; ++pfn) {
        UNSIGNED_LONGLONGS_EQUAL(two.fa(pfn).raw(), words(two.fa(600 + pfn / 512))[pfn % 512]);
        UNSIGNED_LONGLONGS_EQUAL(pfn, m2p[two.fa(pfn).raw()]);
    }
    UNSIGNED_LONGLONGS_EQUAL(0x8000000000, info().mfn_list);
    UNSIGNED_LONGLONGS_EQUAL(600, info().first_p2m_pfn);
    UNSIGNED_LONGLONGS_EQUAL(5, info().nr_p2m_frames);
}

TEST(StartOfDay, AListWithoutAnAddressOfItsOwnIsInTheInitialMapping)
{
    plan::PvStart& start = two.plans[0].pv;
    start.p2m_base = 0;
    start.p2m_pfn = 410;
    start.p2m_tables_frames = 0;
    built();
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80000000 + 410 * page_size, info().mfn_list);
    UNSIGNED_LONGLONGS_EQUAL(0, info().nr_p2m_frames);
    UNSIGNED_LONGLONGS_EQUAL(two.fa(7).raw(), words(two.fa(410))[7]);
}

TEST(StartOfDay, AListMaySharePageTablesWithTheInitialMapping)
{
    plan::PvStart& start = two.plans[0].pv;
    start.p2m_base = 0xffffffff00000000;
    start.p2m_tables_frames = 2;
    built();
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(601), rw), leaf(0xffffffff00001000));
}

TEST(StartOfDay, StartInfoSaysWhatTheAbiPromises)
{
    built();
    STRCMP_EQUAL("xen-3.0-x86_64", info().magic);
    UNSIGNED_LONGLONGS_EQUAL(given_each, info().nr_pages);
    UNSIGNED_LONGLONGS_EQUAL(address_of(two.a().shared_frame).raw(), info().shared_info);
    LONGS_EQUAL(SIF_MOD_START_PFN, info().flags);
    UNSIGNED_LONGLONGS_EQUAL(0, info().store_mfn);
    LONGS_EQUAL(0, info().store_evtchn);
    UNSIGNED_LONGLONGS_EQUAL(two.fa(401).raw(), info().console.domU.mfn);
    LONGS_EQUAL(1, info().console.domU.evtchn);
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80000000 + 402 * page_size, info().pt_base);
    UNSIGNED_LONGLONGS_EQUAL(5, info().nr_pt_frames);
    UNSIGNED_LONGLONGS_EQUAL(340, info().mod_start);
    UNSIGNED_LONGLONGS_EQUAL(ramdisk.size(), info().mod_len);
    STRCMP_EQUAL("console=hvc0 quiet", reinterpret_cast<const char*>(info().cmd_line));
}

TEST(StartOfDay, AMappedRamdiskIsNamedByItsAddress)
{
    two.plans[0].pv.ramdisk_by_pfn = 0;
    built();
    LONGS_EQUAL(0, info().flags);
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80000000 + 340 * page_size, info().mod_start);
}

TEST(StartOfDay, WithoutARamdiskOrStoreTheirFieldsAreEmptyOrFilled)
{
    two.plans[0].pv.ramdisk_pfn = plan::no_pfn;
    two.plans[0].pv.store_pfn = 408;
    two.plans[0].store_port = 2;
    two.plans[0].store_domain = 2;
    built();
    UNSIGNED_LONGLONGS_EQUAL(0, info().mod_start);
    UNSIGNED_LONGLONGS_EQUAL(0, info().mod_len);
    UNSIGNED_LONGLONGS_EQUAL(two.fa(408).raw(), info().store_mfn);
    LONGS_EQUAL(2, info().store_evtchn);
}

TEST(StartOfDay, TheHypercallPageHoldsTheCallsOfRing3)
{
    built();
    const uint8_t* page = machine::frame_pointer<uint8_t>(two.fa(0x11));
    const uint8_t call_13[] = {0x51, 0x41, 0x53, 0xb8, 13, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3, 0xcc};
    MEMCMP_EQUAL(call_13, page + 13 * 32, sizeof(call_13));
    const uint8_t iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 23, 0, 0, 0, 0x0f, 0x05, 0xcc};
    MEMCMP_EQUAL(iret, page + 23 * 32, sizeof(iret));
}

TEST(StartOfDay, AKernelWithoutAHypercallPageKeepsItsContent)
{
    two.plans[0].pv.hypercall_page = ~uint64_t{0};
    built();
    CHECK_TRUE(kernel == content(16, kernel.size()));
}

TEST(StartOfDay, TheFirstVcpuStandsAtTheEntryPoint)
{
    built();
    const Vcpu& vcpu = two.a0();
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80010000, vcpu.registers.rip);
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80000000 + 408 * page_size, vcpu.registers.rsp);
    UNSIGNED_LONGLONGS_EQUAL(0xffffffff80000000 + 400 * page_size, vcpu.registers.rsi);
    LONGS_EQUAL(0xe033, vcpu.registers.cs);
    LONGS_EQUAL(0xe02b, vcpu.registers.ss);
    UNSIGNED_LONGLONGS_EQUAL(0x202, vcpu.registers.rflags);
    CHECK_TRUE(vcpu.pv.kernel_mode);
    LONGS_EQUAL(2, typed(two.fa(402)));
    CHECK_TRUE((state_of(two.fa(402)) & frame::pinned) != 0);
}

TEST(StartOfDay, SharedInfoMasksEveryVcpusEvents)
{
    std::memset(two.a().shared, 0xff, page_size);
    built();
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; ++i) {
        LONGS_EQUAL(1, two.a().shared->vcpu_info[i].evtchn_upcall_mask);
        LONGS_EQUAL(0, two.a().shared->vcpu_info[i].evtchn_upcall_pending);
    }
    LONGS_EQUAL(0, two.a().shared->evtchn_pending[0]);
}

TEST(StartOfDay, FramesBetweenMemoryAndMaxmemAreFree)
{
    built();
    UNSIGNED_LONGLONGS_EQUAL(given_each, two.a().memory.frames);
    UNSIGNED_LONGLONGS_EQUAL(frames_each - given_each, two.a().memory.free_frames);
    LONGS_EQUAL(XEN_EINVAL, get_frame(two.fa(given_each), two.a().id).error());
}

TEST(StartOfDay, AnotherLifeStartsFromTheSameContent)
{
    built();
    // The guest changes tables, holds descriptors, gives frames back, and its kernel is overwritten.
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(402).raw()));
    std::memset(words(two.fa(16)), 0x55, page_size);
    std::memset(words(two.fa(500)), 0, page_size);
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(405), 500), 0));
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(405), 501), 0));
    const uint64_t gdt[] = {two.fa(500).raw()};
    CHECK_TRUE(set_gdt(two.a0(), gdt, 100).has_value());
    {
        const LockGuard guard(two.a().memory.lock);
        LONGS_EQUAL(frame::ok, give_back(two.a(), two.fa(501)));
    }
    CHECK_TRUE(get_writable_frame(two.a().shared_frame, two.a().id).has_value());
    built();
    CHECK_TRUE(has_kernel());
    UNSIGNED_LONGLONGS_EQUAL(given_each, two.a().memory.frames);
    UNSIGNED_LONGLONGS_EQUAL(0, windows[0][0]);
    LONGS_EQUAL(1, typed(two.a().shared_frame));
}

TEST(StartOfDay, AResetMidwayThroughBuildingStartsAnew)
{
    CHECK_TRUE(reset() == BuildStep::done);
    for (unsigned i = 0; i < 40; ++i)
        CHECK_TRUE(build_slice(two.a()) == BuildStep::more);
    built();
    CHECK_TRUE(has_kernel());
}

TEST(StartOfDay, TheFirstLifeNeedsNoReset)
{
    for (uint64_t pfn = 0; pfn < frames_each; ++pfn)
        frame_table[two.fa(pfn).raw()].state = 0;
    two.a().memory.first_free = Mfn(0);
    two.a().memory.free_frames = 0;
    CHECK_TRUE(build() == BuildStep::done);
}

TEST(StartOfDay, NoSliceWritesMoreThanItsShare)
{
    CHECK_TRUE(reset() == BuildStep::done);
    unsigned slices = 0;
    while (build_slice(two.a()) == BuildStep::more)
        ++slices;
    // 640 frames by 32, and the stages around.
    CHECK_TRUE(slices > 20);
}

TEST(StartOfDay, ADamagedPayloadIsReported)
{
    uint32_t size = 60'000;
    std::memcpy(compiled.stored, &size, sizeof(size));
    fails_with("a payload in the image is damaged");
}

TEST(StartOfDay, APayloadThatDoesNotDecompressIsReported)
{
    std::memset(compiled.stored + 4, 0xff, 40);
    fails_with("a payload in the image is damaged");
}

TEST(StartOfDay, TooFewTablesAreReported)
{
    two.plans[0].pv.tables_frames = 4;
    fails_with("the plan sets too few frames aside for its page tables");
    two.plans[0].pv.tables_frames = 5;
    two.plans[0].pv.p2m_tables_frames = 2;
    fails_with("the plan sets too few frames aside for its page tables");
}

TEST(StartOfDay, APlanThatExceedsItsMemoryIsReported)
{
    plan::PvStart& start = two.plans[0].pv;
    const plan::PvStart sound = start;
    start.mapped_end_pfn = given_each + 1;
    fails_with("its initial mapping exceeds its memory or the address space");
    start = sound;
    start.virt_base = layout::core_begin;
    fails_with("its initial mapping exceeds its memory or the address space");
    start = sound;
    start.tables_pfn = given_each - 4;
    fails_with("its page tables or frame list exceed its memory");
    start = sound;
    start.p2m_frames = 1;
    fails_with("its frame list is too small for its memory");
    start = sound;
    start.p2m_base = layout::guest_low_end - page_size;
    fails_with("its frame list has no place in the address space");
    start = sound;
    start.stack_pfn = given_each;
    fails_with("its start pages exceed its memory");
    start = sound;
    compiled.segments[1].pfn = given_each - 2;
    fails_with("a segment of its kernel or ramdisk exceeds its memory");
}

TEST(StartOfDay, AStoreThatTheBoxHasNoRoomForIsNotPromised)
{
    two.plans[0].pv.store_pfn = 408;
    two.plans[0].store_port = 2;
    two.plans[0].store_domain = plan::first_service_domain;
    built();
    UNSIGNED_LONGLONGS_EQUAL(0, info().store_mfn);
    LONGS_EQUAL(0, info().store_evtchn);
}

TEST(StartOfDay, APersistentRegionIsClearedOnceAndThenLeftAlone)
{
    two.plans[0].persistent_pfn = given_each - 20;
    two.plans[0].persistent_frames = 20;
    built();
    CHECK_FALSE(two.a().memory.region_was_kept);
    for (uint64_t pfn = given_each - 20; pfn < given_each; ++pfn) {
        UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(pfn))[7]);
        words(two.fa(pfn))[7] = pfn;
    }
    std::memset(words(two.fa(given_each - 21)), 0xAA, page_size);
    // What the frames were used for in the former life is forgotten, their content is not.
    CHECK_TRUE(get_writable_frame(two.fa(given_each - 1), two.a().id).has_value());
    built();
    CHECK_TRUE(two.a().memory.region_was_kept);
    LONGS_EQUAL(0, existing(two.fa(given_each - 1)));
    CHECK_TRUE((state_of(two.fa(given_each - 1)) & frame::given) != 0);
    for (uint64_t pfn = given_each - 20; pfn < given_each; ++pfn)
        UNSIGNED_LONGLONGS_EQUAL(pfn, words(two.fa(pfn))[7]);
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(given_each - 21))[7]);
    // Until it is given up.
    two.a().memory.region_kept = false;
    built();
    CHECK_FALSE(two.a().memory.region_was_kept);
    for (uint64_t pfn = given_each - 20; pfn < given_each; ++pfn)
        UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(pfn))[7]);
}

TEST(StartOfDay, FramesForDevicesAreWritableForEverInEachLife)
{
    const uint64_t first = given_each - 30;
    two.plans[0].dma_pfn = first;
    two.plans[0].dma_frames = 10;
    two.plans[0].persistent_pfn = given_each - 20;
    two.plans[0].persistent_frames = 20;
    for (int life = 0; life < 2; ++life) {
        built();
        for (uint64_t pfn = first - 3; pfn < given_each; ++pfn) {
            const bool for_devices = pfn >= first && pfn < first + 10;
            UNSIGNED_LONGLONGS_EQUAL(for_devices ? frame::shared_state : frame::given, state_of(two.fa(pfn)));
            UNSIGNED_LONGLONGS_EQUAL(pfn, machine::machine_to_phys()[two.fa(pfn).raw()]);
        }
        // Mapped and unmapped, they stay what they are; what a device wrote is gone in the next life.
        CHECK_TRUE(get_writable_frame(two.fa(first), two.a().id).has_value());
        put_writable_frame(two.fa(first));
        UNSIGNED_LONGLONGS_EQUAL(frame::shared_state, state_of(two.fa(first)));
        UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(first))[7]);
        words(two.fa(first))[7] = 1;
    }
}

// It would be the core's mistake, and the next life must not begin on it.
TEST(StartOfDay, ASharedFrameThatLostTheCoresReferenceEndsTheBox)
{
    std::atomic<uint64_t>& state = frame_table[two.a().shared_frame.raw()].state;
    for (const uint64_t lost : {frame::given | frame::core_held | frame::type_bits(FrameType::l1),
                                frame::given | frame::core_held | frame::type_bits(FrameType::writable)}) {
        state = lost;
        const pid_t child = fork();
        if (child == 0) {
            close(2);               // the panic's sentence
            (void)reset();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        CHECK_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    state = frame::shared_state;
}

TEST(StartOfDay, AReadOnlySharedFrameStaysSoInTheNextLife)
{
    const Mfn shared = new_frame();
    init_shared_frame(shared, two.a().id, SharedAccess::read_only);
    CHECK_TRUE(get_frame(shared, two.a().id).has_value());
    built();
    UNSIGNED_LONGLONGS_EQUAL(frame::shared_read_only_state, state_of(shared));
    UNSIGNED_LONGLONGS_EQUAL(frame::shared_state, state_of(two.a().shared_frame));
}
