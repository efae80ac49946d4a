// SPDX-License-Identifier: BSD-2-Clause
// The whole tool, from a plan's file to an image and its map.
#include "boot/plan/driver.hpp"

#include "boot/plan/acpi_tables.cpp"
#include "boot/plan/annotation.cpp"
#include "boot/plan/bzimage.cpp"
#include "boot/plan/check.cpp"
#include "boot/plan/check_schedule.cpp"
#include "boot/plan/compiled.cpp"
#include "boot/plan/core_plan_check.cpp"
#include "boot/plan/cpu_list.cpp"
#include "boot/plan/decompress.cpp"
#include "boot/plan/driver.cpp"
#include "boot/plan/dump.cpp"
#include "boot/plan/elf_file.cpp"
#include "boot/plan/files.cpp"
#include "boot/plan/hash.cpp"
#include "boot/plan/image.cpp"
#include "boot/plan/kernel.cpp"
#include "boot/plan/loading.cpp"
#include "boot/plan/map.cpp"
#include "boot/plan/map_partition.cpp"
#include "boot/plan/nearest.cpp"
#include "boot/plan/network_fields.cpp"
#include "boot/plan/network_slice.cpp"
#include "boot/plan/part_fields.cpp"
#include "boot/plan/partition_fields.cpp"
#include "boot/plan/pci_words.cpp"
#include "boot/plan/payloads.cpp"
#include "boot/plan/policy_fields.cpp"
#include "boot/plan/process.cpp"
#include "boot/plan/pv_layout.cpp"
#include "boot/plan/pvh_layout.cpp"
#include "boot/plan/report.cpp"
#include "boot/plan/resolve.cpp"
#include "boot/plan/slice.cpp"
#include "boot/plan/slim_elf.cpp"
#include "boot/plan/services.cpp"
#include "boot/plan/shared_memory.cpp"
#include "boot/plan/source.cpp"
#include "boot/plan/store_nodes.cpp"
#include "boot/plan/symbols.cpp"
#include "boot/plan/system_fields.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/tree.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/vif.cpp"
#include "boot/plan/xen_notes.cpp"
#include "boot/plan/xl_names.cpp"
#include "tests/unit/plan/folder.hpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

#include <sstream>

using namespace bulkhead::tool;
using bulkhead::test::bytes_of;
using bulkhead::test::Folder;
using bulkhead::test::gzip;
using bulkhead::test::linux_kernel;
using bulkhead::test::make_bzimage;
using bulkhead::test::make_core;
using bulkhead::test::runtime_program;
using bulkhead::test::tiny_kernel;

namespace {

struct Result {
    int status;
    std::string out;
    std::string err;

    [[nodiscard]] bool says(std::string_view part) const { return err.find(part) != std::string::npos; }
};

Result run_with(std::initializer_list<std::string> arguments)
{
    const std::vector<std::string> words(arguments);
    std::ostringstream out;
    std::ostringstream err;
    const int status = run_tool({words.begin(), words.end()}, out, err);
    return {status, out.str(), err.str()};
}

// A first plan with a network card; it must always build as it stands.
constexpr std::string_view gateway = R"(/dts-v1/;
/ {
    compatible = "bulkhead,plan";
    model = "gateway on two CPUs";
    networks { lan0 { address = "10.0.0.1/24"; uplink = "none"; }; };
    partitions {
        gateway {
            type = "pv";
            uuid = "cf67710d-b756-086b-8cde-be61d2faca1b";
            memory = <256>;                      /* MiB */
            vcpus = <2>;
            cpus = "0-1";
            kernel = "vmlinuz";                 /* Debian's cloud-amd64 kernel */
            ramdisk = "initrd.gz";
            cmdline = "console=hvc0";
            vif = "mac=00:16:3e:27:95:c0,bridge=lan0";
            on_poweroff = "destroy"; on_reboot = "restart"; on_crash = "restart";
        };
    };
};
)";

// One partition with these lines; it uses the small test kernel.
std::string plan_with(const std::string& lines)
{
    return "/dts-v1/;\n/ {\n compatible = \"bulkhead,plan\";\n partitions {\n  a {\n   type = \"pv\";\n" + lines + "\n  };\n };\n};\n";
}

#define CHECK_DUMPED(text, line) STRCMP_CONTAINS((std::string("\n") + (line) + "\n").c_str(), (text).c_str())
#define CHECK_SAYS(result, words)                                                        \
    do {                                                                                 \
        if (!(result).says(words))                                                       \
            FAIL((std::string("expected: ") + (words) + "\nbut:\n" + (result).err).c_str()); \
    } while (false)

}  // namespace

TEST_GROUP(Driver)
{
    Folder folder;

    void setup() override
    {
        folder.write("core.elf", make_core());
        folder.write("vmlinuz", make_bzimage(gzip(linux_kernel())));
        folder.write("tiny", tiny_kernel());
        folder.write("initrd.gz", Bytes(5000, 0x42));
        folder.write("pvdrivers/store.elf", runtime_program());
        folder.write("pvdrivers/switch.elf", runtime_program());
        folder.write("pvdrivers/machine.elf", runtime_program());
    }
    Result build(std::string_view plan, const std::string& output = "out")
    {
        folder.write("plan.dts", plan);
        return run_with({"--core", folder / "core.elf", "--output", folder / output, folder / "plan.dts"});
    }
    std::string dump(const std::string& output = "out")
    {
        return run_with({"--dump", folder / (output + "/bulkhead.elf")}).out;
    }
    bool wrote_anything() { return std::filesystem::exists(folder / "out"); }
};

TEST(Driver, the_promised_plan_builds_as_it_stands)
{
    const auto result = build(gateway);
    STRCMP_EQUAL("", result.err.c_str());
    LONGS_EQUAL(0, result.status);
    STRCMP_CONTAINS("gateway on two CPUs: 1 partition and 2 services, 266 MiB of memory", result.out.c_str());
    const auto plan = dump();
    CHECK_DUMPED(plan, "source = \"plan.dts\"");
    CHECK_DUMPED(plan, "partition.gateway.uuid = cf67710db756086b8cdebe61d2faca1b");
    CHECK_DUMPED(plan, "partition.gateway.domain = 1");
    CHECK_DUMPED(plan, "partition.gateway.vcpus = 2");
    CHECK_DUMPED(plan, "partition.gateway.cpus = 0 and 1");
    CHECK_DUMPED(plan, "partition.gateway.memory_frames = 65536");
    CHECK_DUMPED(plan, "partition.gateway.cmdline = \"console=hvc0\"");
    CHECK_DUMPED(plan, "partition.gateway.on_poweroff = 0");
    CHECK_DUMPED(plan, "partition.gateway.on_crash = 1");
    CHECK_DUMPED(plan, "partition.gateway.console_port = 1");
    CHECK_DUMPED(plan, "partition.gateway.store_port = 2");
    CHECK_DUMPED(plan, "partition.gateway.store = domain 28672, port 8");
    CHECK_DUMPED(plan, "partition.store.store_pfn = none");
    CHECK_DUMPED(plan, "partition.gateway.ramdisk_bytes = 5000");
    CHECK_DUMPED(plan, "partition.gateway.flags = 0x1");
    CHECK_DUMPED(plan, "symbols = 2");
}

TEST(Driver, the_map_tells_everything)
{
    build(gateway);
    const auto map = folder.read("out/map.txt");
    for (const auto* part : {"gateway on two CPUs (plan.dts)", "escape Ctrl-]", "0x400000", "kernel at frame 0x1000",
                             "ramdisk at frame", "CPU 0  store.0 (17), switch.0 (17) and gateway.0 (16)", "lan0  address 10.0.0.1/24", "Partition gateway",
                             "domain   1", "mac 00:16:3e:27:95:c0, bridge lan0", "on_crash restart", "0xffffffff81000000",
                             "start info", "console ring", "page tables", "boot stack", "physical-to-machine list",
                             "1 console", "entry 0 console, entry 1 store", "Totals"})
        STRCMP_CONTAINS(part, map.c_str());
}

TEST(Driver, the_same_input_gives_the_same_bytes)
{
    build(gateway, "one");
    build(gateway, "two");
    CHECK(folder.read("one/bulkhead.elf") == folder.read("two/bulkhead.elf"));
    CHECK(folder.read("one/map.txt") == folder.read("two/map.txt"));
    CHECK(folder.read("one/bulkhead.elf").find(folder.path()) == std::string::npos);
}

TEST(Driver, partitions_with_the_same_kernel_share_its_payloads)
{
    build("/dts-v1/; / { compatible = \"bulkhead,plan\"; partitions {"
          " a { type = \"pv\"; memory = <64>; kernel = \"vmlinuz\"; };"
          " b { type = \"pv\"; memory = <128>; kernel = \"./vmlinuz\"; }; }; };");
    const auto plan = dump();
    size_t payloads = 0;
    for (size_t at = plan.find("payload = "); at != std::string::npos; at = plan.find("payload = ", at + 1))
        ++payloads;
    LONGS_EQUAL(2 + 2, payloads);    // the store's program and slice
    CHECK_DUMPED(plan, "partition.b.domain = 2");
    CHECK_DUMPED(plan, "partition.b.segment = frame 0x1000, 2 frames, payload 0");
}

TEST(Driver, paths_are_relative_to_the_plans_own_folder)
{
    folder.write("plans/sub/p.dts", plan_with("memory = <64>; kernel = \"../../tiny\";"));
    const auto result = run_with({"--core", folder / "core.elf", "--output", folder / "out", folder / "plans/sub/p.dts"});
    STRCMP_EQUAL("", result.err.c_str());
    LONGS_EQUAL(0, result.status);
}

TEST(Driver, values_reach_the_compiled_plan)
{
    build("/dts-v1/; / { compatible = \"bulkhead,plan\"; escape = \"^A\"; on_panic = \"halt\"; serial = \"9600\"; partitions {"
          " a { type = \"pv\"; memory = <64>; maxmem = <128>; kernel = \"tiny\"; priority = <7>; budget = <500>; period = <2000>;"
          "     realtime; autostart = <0>; pv-linear-pt; grant-frames = <8>; on_watchdog = \"preserve\"; cpus = \"3\";"
          "     reg = <0x0 0x40000000 0x0 0x8000000>; }; };"
          " schedule { cpu3 = \"a 1000\", \"idle 500\"; }; };");
    const auto plan = dump();
    for (const auto* line : {"escape = 0x1", "panic_reboots = 0", "baud = 9600", "window = CPU 3, partition 0, 1000 us",
                             "window = CPU 3, partition 65535, 500 us", "partition.a.priority = 7", "partition.a.budget_us = 500",
                             "partition.a.period_us = 2000", "partition.a.realtime = 1", "partition.a.flags = 0x2",
                             "partition.a.grant_frames = 8", "partition.a.on_watchdog = 2", "partition.a.cpus = 3",
                             "partition.a.memory_frames = 16384", "partition.a.max_frames = 32768",
                             "partition.a.range = 0x40000000, 0x8000000 bytes"})
        CHECK_DUMPED(plan, line);
}

TEST(Driver, a_kernel_under_preempt_rt_is_known_to_pin_late)
{
    folder.write("vmlinuz-rt",
                 make_bzimage(gzip(linux_kernel()), 0x020f, "6.1.0-rt-test (somebody) #1 SMP PREEMPT_RT Debian"));
    build(plan_with("memory = <256>; kernel = \"vmlinuz-rt\";"));
    CHECK_DUMPED(dump(), "partition.a.flags = 0x11");
    CHECK(folder.read("out/map.txt").find("may pin page tables late") != std::string::npos);
    build(plan_with("memory = <256>; kernel = \"vmlinuz\";"));
    CHECK_DUMPED(dump(), "partition.a.flags = 0x1");
}

TEST(Driver, too_little_memory_is_refused_with_how_much_is_needed)
{
    const auto result = build(plan_with("memory = <16>;\nkernel = \"vmlinuz\";"));
    CHECK_SAYS(result, "plan.dts:7: error: memory is 16 MiB, too little for \"a\"; at least 21 MiB are needed");
    CHECK_FALSE(wrote_anything());
    LONGS_EQUAL(0, build(plan_with("memory = <21>;\nkernel = \"vmlinuz\";")).status);
}

TEST(Driver, a_missing_kernel_or_ramdisk_is_refused_with_where_it_was_looked_for)
{
    const auto result = build(plan_with("memory = <64>;\nkernel = \"vmlinux\";\nramdisk = \"no.gz\";"));
    CHECK_SAYS(result, "plan.dts:8: error: kernel \"vmlinux\" does not exist; paths are relative to the plan's folder, so put it at " + (folder / "vmlinux"));
    CHECK_SAYS(result, "plan.dts:9: error: ramdisk \"no.gz\" does not exist");
    CHECK_SAYS(result, "bulkhead-plan: 2 errors, nothing written");
    LONGS_EQUAL(1, result.status);
    CHECK_FALSE(wrote_anything());
}

TEST(Driver, a_truncated_or_unsuitable_kernel_is_refused_with_the_reason)
{
    const Bytes good = make_bzimage(gzip(linux_kernel()));
    folder.write("cut", View(good).first(good.size() - 100));
    folder.write("empty", View{});
    folder.write("text", bytes_of("hello"));
    folder.write("plain", bulkhead::test::make_elf(0, {bulkhead::test::load(0, Bytes(16, 1))}));
    const auto refused_with = [this](const std::string& file, std::string_view words) {
        const auto result = build(plan_with("memory = <64>;\nkernel = \"" + file + "\";"));
        CHECK_SAYS(result, "plan.dts:8: error: kernel \"" + file + "\" " + std::string(words));
    };
    refused_with("cut", "is truncated: its bzImage has");
    refused_with("empty", "is empty");
    refused_with("text", "is not a kernel");
    refused_with("plain", "has no Xen ELF notes");
    refused_with(".", "is a folder");
}

TEST(Driver, an_empty_ramdisk_is_refused)
{
    folder.write("nothing", View{});
    CHECK_SAYS(build(plan_with("memory = <64>; kernel = \"tiny\"; ramdisk = \"nothing\";")), "ramdisk \"nothing\" is empty");
}

TEST(Driver, a_kernel_that_asks_for_its_symbols_is_warned_about)
{
    folder.write("bsd", bulkhead::test::make_elf(0, {bulkhead::test::load(0, Bytes(16, 1)),
        bulkhead::test::notes_of({bulkhead::test::note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"),
                                  bulkhead::test::note(XEN_ELFNOTE_LOADER, "generic"),
                                  bulkhead::test::note(XEN_ELFNOTE_BSD_SYMTAB, "yes")})}));
    const auto result = build(plan_with("memory = <64>; kernel = \"bsd\";"));
    CHECK_SAYS(result, "warning: kernel \"bsd\" asks for its symbol table");
    LONGS_EQUAL(0, result.status);
}

TEST(Driver, little_memory_left_for_linux_is_warned_about)
{
    CHECK_SAYS(build(plan_with("memory = <24>; kernel = \"vmlinuz\";")), "warning: memory leaves");
}

TEST(Driver, fixed_memory_where_the_image_is_loaded_is_refused)
{
    CHECK_SAYS(build(plan_with("memory = <64>; kernel = \"tiny\"; reg = <0x0 0x300000 0x0 0x4000000>;")), "overlaps the image itself");
    CHECK_FALSE(wrote_anything());
}

TEST(Driver, errors_leave_the_last_image_alone)
{
    build(gateway);
    const auto before = folder.read("out/bulkhead.elf");
    LONGS_EQUAL(1, build(plan_with("memory = <64>;")).status);
    CHECK(folder.read("out/bulkhead.elf") == before);
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "out")) {
        (void)entry;
        ++files;
    }
    LONGS_EQUAL(2, files);
}

TEST(Driver, a_folder_that_cannot_be_written_is_an_error)
{
    folder.write("plan.dts", gateway);
    const auto result = run_with({"--core", folder / "core.elf", "--output", "/proc/nothing", folder / "plan.dts"});
    LONGS_EQUAL(1, result.status);
    CHECK_SAYS(result, "cannot make the folder");
    folder.write("taken/bulkhead.elf/x", "a folder where the image should go");
    const auto taken = run_with({"--core", folder / "core.elf", "--output", folder / "taken", folder / "plan.dts"});
    CHECK_SAYS(taken, "cannot write");
    CHECK_FALSE(std::filesystem::exists(folder / "taken/map.txt"));
}

TEST(Driver, a_wrong_core_is_named)
{
    folder.write("core.elf", tiny_kernel());
    CHECK_SAYS(build(gateway), "core.elf has no section .plan_anchor");
    folder.write("core.elf", "nonsense");
    CHECK_SAYS(build(gateway), "core.elf is not an ELF file");
}

TEST(Driver, a_syntax_error_is_dtcs)
{
    const auto result = build("/dts-v1/;\n/ {\n");
    LONGS_EQUAL(1, result.status);
    CHECK_SAYS(result, "syntax error");
}

TEST(Driver, the_command_line_is_checked)
{
    LONGS_EQUAL(2, run_with({}).status);
    LONGS_EQUAL(2, run_with({"--core"}).status);
    LONGS_EQUAL(2, run_with({"--wrong"}).status);
    LONGS_EQUAL(2, run_with({"--core", "a", "--output", "b", "c", "d"}).status);
    LONGS_EQUAL(2, run_with({"--core", "a", "p.dts"}).status);
    LONGS_EQUAL(0, run_with({"--help"}).status);
    CHECK_SAYS(run_with({"--core", folder / "none", "--output", "b", "c"}), "none does not exist");
    CHECK_SAYS(run_with({"--dump", folder / "core.elf"}), "holds no plan");
}

TEST(Driver, a_damaged_image_does_not_dump)
{
    build(gateway);
    const auto good = folder.read("out/bulkhead.elf");
    const size_t plan = 0x1000;  // behind the small core
    STRCMP_EQUAL("BBHPLAN1", good.substr(plan, 8).c_str());
    const Bytes good_bytes(good.begin(), good.end());
    const auto tables_bytes = read_at<bulkhead::plan::Header>(good_bytes, plan)->tables_bytes;
    for (size_t at = plan; at < plan + tables_bytes; at += 3) {
        auto image = good;
        image[at] = static_cast<char>(image[at] ^ 0x20);
        folder.write("bad.elf", image);
        LONGS_EQUAL(1, run_with({"--dump", folder / "bad.elf"}).status);
    }
    auto payload = good;
    payload.back() = static_cast<char>(payload.back() ^ 0x20);
    folder.write("bad.elf", payload);
    CHECK_SAYS(run_with({"--dump", folder / "bad.elf"}), "damaged payload");
}

TEST(Driver, every_truncation_of_an_image_is_refused)
{
    build(plan_with("memory = <64>; kernel = \"tiny\";"));
    const auto good = folder.read("out/bulkhead.elf");
    for (size_t length = 0; length < good.size(); length += 97) {
        folder.write("cut.elf", good.substr(0, length));
        LONGS_EQUAL(1, run_with({"--dump", folder / "cut.elf"}).status);
    }
}

// --- Services and slices -----------------------------------------------------------------------------

constexpr std::string_view networked = R"(/dts-v1/;
/ {
    compatible = "bulkhead,plan";
    networks {
        lan0 {
            address = "10.0.2.15/24"; gateway = "10.0.2.2"; ipv6 = "slaac"; host-name = "box-1"; uplink = "first"; http = <8080>;
            diagnosis { port = <2323>; from = "10.0.2.0/24", "fd00::/64"; };
        };
        plant { mtu = <9000>; uplink = "00:1f.7"; };
        cell { uplink = "8086:10d3"; };
    };
    partitions {
        a {
            type = "pv"; memory = <64>; kernel = "tiny";
            vif = "mac=00:16:3e:00:00:01,bridge=lan0,rate=10Mb/s,vlan=10,storm=1000/s,isolated=1,vifname=north",
                  "mac=00:16:3e:00:00:02,bridge=plant,ip=10.1.0.2";
        };
        b { type = "pv"; memory = <64>; kernel = "tiny"; };
    };
};
)";

TEST(Driver, the_switch_gets_its_slice_devices_and_frames)
{
    const auto result = build(networked);
    STRCMP_EQUAL("", result.err.c_str());
    const auto plan = dump();
    CHECK_DUMPED(plan, "partition.switch.domain = 28673");
    // 4 MiB with one uplink; two more, each with frames of its own.
    CHECK_DUMPED(plan, "partition.switch.memory_frames = 1536");
    CHECK_DUMPED(plan, "partition.switch.persistent = frame 0x580, 128 frames");
    CHECK_DUMPED(plan, "partition.switch.dma = frame 0x280, 768 frames");
    CHECK_DUMPED(plan, "partition.switch.mapped_end_pfn = 0x280");
    CHECK_DUMPED(plan, "partition.switch.store = domain 28672, port 73");
    CHECK_DUMPED(plan, "partition.switch.flags = 0x29");
    CHECK_DUMPED(plan, "partition.switch.services = 0x1");
    CHECK_DUMPED(plan, "partition.a.services = 0x3");
    CHECK_DUMPED(plan, "partition.b.services = 0x1");
    CHECK_DUMPED(plan, "device = \"first\" for network lan0, partition 3, number 0");
    CHECK_DUMPED(plan, "device = \"00:1f.7\" for network plant, partition 3, number 1");
    CHECK_DUMPED(plan, "device = \"8086:10d3\" for network cell, partition 3, number 2");
    CHECK_DUMPED(plan, "slice.switch:   first-frame = 0x0 0x280");
    CHECK_DUMPED(plan, "slice.switch:     address = \"10.0.2.15/24\"");
    CHECK_DUMPED(plan, "slice.switch:     gateway = \"10.0.2.2\"");
    CHECK_DUMPED(plan, "slice.switch:     ipv6 = \"slaac\"");
    CHECK_DUMPED(plan, "slice.switch:     host-name = \"box-1\"");
    CHECK_DUMPED(plan, "slice.switch:     http = 0x1f90");
    CHECK_DUMPED(plan, "slice.switch:     device = 0x2");
    CHECK_DUMPED(plan, "slice.switch:       port = 0x913");
    CHECK_DUMPED(plan, "slice.switch:       from = \"10.0.2.0/24\" \"fd00::/64\"");
    CHECK_DUMPED(plan, "slice.switch:     mtu = 0x2328");
    CHECK_DUMPED(plan, "slice.switch:     network = \"lan0\"");
    CHECK_DUMPED(plan, "slice.switch:     name = \"north\"");
    CHECK_DUMPED(plan, "slice.switch:     name = \"a/1\"");
    CHECK_DUMPED(plan, "slice.switch:     rate-bytes-per-second = 0x0 0x1312d0");
    CHECK_DUMPED(plan, "slice.switch:     rate-interval-us = 0xc350");
    CHECK_DUMPED(plan, "slice.switch:     vlan = 0xa");
    CHECK_DUMPED(plan, "slice.switch:     isolated = yes");
    CHECK_DUMPED(plan, "slice.switch:     storm = 0x3e8");
    CHECK_DUMPED(plan, "slice.switch:     name = \"store\"");
    CHECK_DUMPED(plan, "slice.switch:     match = \"first\"");
}

TEST(Driver, the_store_holds_both_ends_of_every_card)
{
    const auto result = build(networked);
    STRCMP_EQUAL("", result.err.c_str());
    const auto plan = dump();
    CHECK_DUMPED(plan, "slice.store:     device-backend = 0x7001");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/device/vif/0 = \"\" (n1,r28673)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/device/vif/0/backend = \"/local/domain/28673/backend/vif/1/0\" (n1,r28673)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/device/vif/0/mac = \"00:16:3e:00:00:01\" (n1,r28673)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/device/vif/1/mtu = \"9000\" (n1,r28673)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/device/vif/1/state = \"1\" (n1,r28673)");
    CHECK(plan.find("device/vif/0/mtu") == std::string::npos);
    CHECK(plan.find("/local/domain/2/device/vif") == std::string::npos);
    CHECK_DUMPED(plan, "slice.store:   client@28673");
    CHECK_DUMPED(plan, "slice.store:     port = 0x49");
    CHECK_DUMPED(plan, "slice.store:     keeps-nodes = yes");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif = \"\" (n28673)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif/1/0 = \"\" (n28673,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif/1/0/frontend = \"/local/domain/1/device/vif/0\" (n28673,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif/1/0/bridge = \"lan0\" (n28673,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif/1/1/ip = \"10.1.0.2\" (n28673,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/28673/backend/vif/1/1/online = \"1\" (n28673,r1)");
}

TEST(Driver, a_service_says_when_its_memory_does_not_hold_it)
{
    auto small = std::string(networked);
    small.replace(small.find("networks {"), 0, "services { switch { memory = <3>; }; };\n");
    CHECK_SAYS(build(small), "memory is 3 MiB, too little for \"switch\"; at least ");
}

TEST(Driver, the_store_gets_its_slice_with_every_clients_nodes)
{
    const auto result = build(gateway);
    STRCMP_EQUAL("", result.err.c_str());
    const auto plan = dump();
    CHECK_DUMPED(plan, "partition.store.type = 4");
    CHECK_DUMPED(plan, "partition.store.domain = 28672");
    CHECK_DUMPED(plan, "partition.store.memory_frames = 1536");
    CHECK_DUMPED(plan, "partition.store.persistent = frame 0x400, 512 frames");
    CHECK_DUMPED(plan, "partition.store.budget_us = 5000");
    CHECK_DUMPED(plan, "partition.store.kernel = \"store.elf\"");
    CHECK_DUMPED(plan, "partition.store.flags = 0x9");
    CHECK_DUMPED(plan, "slice.store: compatible = \"bulkhead,slice\"");
    CHECK_DUMPED(plan, "slice.store: domain-id = 0x7000");
    CHECK_DUMPED(plan, "slice.store:   first-frame = 0x0 0x400");
    CHECK_DUMPED(plan, "slice.store:   frames = 0x0 0x200");
    CHECK_DUMPED(plan, "slice.store: /local/domain = \"\" (r0)");
    CHECK_DUMPED(plan, "slice.store:   client@1");
    CHECK_DUMPED(plan, "slice.store:     port = 0x8");
    CHECK_DUMPED(plan, "slice.store:     ring-grant = 0x1");
    CHECK_DUMPED(plan, "slice.store:     quota-nodes = 0x3e8");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/name = \"gateway\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/vm = \"/vm/cf67710d-b756-086b-8cde-be61d2faca1b\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/cpu/1/availability = \"online\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/memory/target = \"262144\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/control/shutdown = \"\" (n1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/store/port = \"2\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/console/type = \"xenconsoled\" (n0,r1)");
    CHECK_DUMPED(plan, "slice.store:     /vm/cf67710d-b756-086b-8cde-be61d2faca1b/image/cmdline = \"console=hvc0\" (n0,r1)");
}

TEST(Driver, the_map_tells_of_services)
{
    build(gateway);
    const auto map = folder.read("out/map.txt");
    for (const auto* part : {"Service store", "type     service", "budget 5000 us in each 10000 us", "1 console, 8 gateway and 73 switch",
                             "2 store, whose end is 8", "persistent region, kept over restarts", "its slice of the plan, ",
                             "slice of the plan\n    compatible", "store.0 (17)", "store ring"})
        STRCMP_CONTAINS(part, map.c_str());
}

TEST(Driver, a_missing_store_is_said_where_it_is_needed)
{
    std::filesystem::remove(folder / "pvdrivers/store.elf");
    const auto result = build(gateway);
    LONGS_EQUAL(1, result.status);
    CHECK_SAYS(result, "plan.dts:7: error: service \"store\", which partitions need, is not there: ");
    CHECK_SAYS(result, "/pvdrivers/store.elf does not exist; --services names the folder");
    folder.write("elsewhere/store.elf", runtime_program());
    folder.write("elsewhere/switch.elf", runtime_program());
    folder.write("plan.dts", gateway);
    LONGS_EQUAL(0, run_with({"--core", folder / "core.elf", "--output", folder / "out", "--services",
                             folder / "elsewhere", folder / "plan.dts"}).status);
}

TEST(Driver, a_program_on_the_runtime_gets_its_slice)
{
    folder.write("plc", runtime_program());
    build(plan_with("memory = <64>; kernel = \"plc\"; config { rate = <1000>; names = \"a\", \"b\"; inner { nodes = \"x\"; }; };"));
    const auto plan = dump();
    CHECK_DUMPED(plan, "slice.a: name = \"a\"");
    CHECK_DUMPED(plan, "slice.a:   rate = 0x3e8");
    CHECK_DUMPED(plan, "slice.a:   names = \"a\" \"b\"");
    CHECK_DUMPED(plan, "slice.a:     nodes = \"x\"");
    CHECK(plan.find("slice.a: clients") == std::string::npos);
    const auto refused = build(plan_with("memory = <64>; kernel = \"plc\"; ramdisk = \"initrd.gz\";"));
    CHECK_SAYS(refused, "kernel \"plc\" is a program on the runtime");
}

TEST(Driver, a_kernel_with_a_config_gets_a_slice_too)
{
    build(plan_with("memory = <64>; kernel = \"tiny\"; store = \"none\"; config { };"));
    CHECK_DUMPED(dump(), "partition.a.flags = 0x9");
    build(plan_with("memory = <64>; kernel = \"tiny\"; store = \"none\";"));
    CHECK_DUMPED(dump(), "partition.a.flags = 0x1");
    CHECK_DUMPED(dump(), "partition.a.store_port = 0");
}

TEST(Driver, shared_memory_reaches_plan_slice_nodes_and_map)
{
    folder.write("plc", runtime_program());
    const auto result = build("/dts-v1/; / { compatible = \"bulkhead,plan\"; "
                              "shared-memory { image { size = <5000>; writer = \"a\"; readers = \"b\"; }; }; partitions { "
                              "a { type = \"pv\"; memory = <64>; kernel = \"plc\"; }; "
                              "b { type = \"pv\"; memory = <64>; kernel = \"tiny\"; }; }; };");
    STRCMP_EQUAL("", result.err.c_str());
    const auto plan = dump();
    CHECK_DUMPED(plan, "shared-memory.image = 2 frames, grants from 8, port 1");
    CHECK_DUMPED(plan, "shared-memory.image.member = 0, writes");
    CHECK_DUMPED(plan, "shared-memory.image.member = 1, reads");
    CHECK_DUMPED(plan, "slice.a:   image");
    CHECK_DUMPED(plan, "slice.a:     size = 0x0 0x1388");
    CHECK_DUMPED(plan, "slice.a:     grant = 0x8");
    CHECK_DUMPED(plan, "slice.a:     port = 0x1");
    CHECK_DUMPED(plan, "slice.a:     writable = yes");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/2/shared-memory/image/ref = \"8\" (n0,r2)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/2/shared-memory/image/mode = \"r\" (n0,r2)");
    CHECK_DUMPED(plan, "slice.store:     /local/domain/1/shared-memory/image/mode = \"rw\" (n0,r1)");
    STRCMP_CONTAINS("8 to 9", folder.read("out/map.txt").c_str());
}
