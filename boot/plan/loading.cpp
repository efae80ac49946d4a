// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/loading.hpp"

#include <filesystem>

#include "boot/plan/files.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/slice.hpp"
#include "boot/plan/text.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint64_t tight_frames = 16 * frames_per_mib;

using KernelResult = Outcome<std::shared_ptr<const Kernel>>;

std::string path_of(const SystemModel& system, const std::string& name)
{
    return (std::filesystem::path(system.folder) / name).lexically_normal().string();
}

KernelResult load_kernel(const std::string& path, bool pvh)
{
    const Bytes file = ATTEMPT(read_file(path));
    auto kernel = ATTEMPT(pvh ? parse_pvh_kernel(file) : parse_pv_kernel(file));
    return std::make_shared<const Kernel>(std::move(kernel));
}

class Loader {
public:
    Loader(const SystemModel& system, PayloadStore& payloads, Report& report)
        : system_(system), payloads_(payloads), report_(report)
    {
    }

    LoadedPartition load(const PartitionModel& partition)
    {
        LoadedPartition loaded;
        const bool has_ramdisk = read_ramdisk(partition, loaded);
        if (!find_kernel(partition, loaded) || !has_ramdisk || !partition.memory_mib.stated)
            return loaded;
        if (!take_slice(partition, loaded))
            return loaded;
        if (is_hardware(partition) ? lay_out_hardware(partition, loaded) : lay_out(partition, loaded))
            fill(partition, loaded);
        ramdisk_ = {};
        return loaded;
    }

private:
    bool find_kernel(const PartitionModel& partition, LoadedPartition& loaded)
    {
        if (!partition.kernel.stated)
            return false;
        const auto path = partition.is_service
                              ? (std::filesystem::path(system_.services_folder) / partition.kernel.value).string()
                              : path_of(system_, partition.kernel.value);
        const auto key = std::pair(path, is_hardware(partition));
        auto known = kernels_.find(key);
        if (known == kernels_.end())
            known = kernels_.emplace(key, load_kernel(path, key.second)).first;
        if (!known->second) {
            if (partition.is_service)
                report_.error(partition.kernel.at,
                              sentence("service ", Quoted{partition.name.value}, ", which partitions need, is not there: ",
                                       path, ' ', known->second.error(), "; --services names the folder with ",
                                       "the services' programs", is_machine(partition) ? ", and apic = \"x2apic\" does without it"
                                       : is_switch(partition) ? "" : ", and store = \"none\" is a partition without a store"));
            else
                refuse_file(partition.kernel, "kernel", path, known->second.error());
            return false;
        }
        loaded.kernel = *known->second;
        if (loaded.kernel->notes.bsd_symtab)
            report_.warning(partition.kernel.at,
                            sentence("kernel ", Quoted{partition.kernel.value},
                                     " asks for its symbol table (ELF note BSD_SYMTAB), which is not loaded"));
        return true;
    }

    bool read_ramdisk(const PartitionModel& partition, LoadedPartition& loaded)
    {
        if (!partition.ramdisk.stated)
            return true;
        const auto path = path_of(system_, partition.ramdisk.value);
        auto content = read_file(path);
        if (content && content->empty())
            content = refuse("is empty; leave ramdisk out if there is none");
        if (!content) {
            refuse_file(partition.ramdisk, "ramdisk", path, content.error());
            return false;
        }
        ramdisk_ = std::move(*content);
        loaded.ramdisk_bytes = ramdisk_.size();
        return true;
    }

    // What a program on the runtime gets in the place of a ramdisk.
    bool take_slice(const PartitionModel& partition, LoadedPartition& loaded)
    {
        const bool is_program = loaded.kernel->notes.runtime_program;
        if (!is_program && !partition.config && !partition.is_service)
            return true;
        if (partition.ramdisk.stated) {
            // With a config it was said where the plan was read.
            if (!partition.config)
                report_.error(partition.ramdisk.at,
                              sentence("kernel ", Quoted{partition.kernel.value}, " is a program on the runtime, which ",
                                       "gets its part of the plan as its ramdisk; leave ramdisk out"));
            return false;
        }
        loaded.slice = make_slice(system_, partition);
        ramdisk_ = loaded.slice;
        loaded.ramdisk_bytes = ramdisk_.size();
        return true;
    }

    // Says where the file was looked for when that is not what the plan says.
    void refuse_file(const Stated<std::string>& file, std::string_view what, const std::string& path,
                     const std::string& error)
    {
        const bool missing = error == "does not exist";
        const std::string hint = missing ? "; paths are relative to the plan's folder, so put it at " + path : "";
        report_.error(file.at, sentence(what, ' ', Quoted{file.value}, ' ', error, hint));
    }

    bool lay_out(const PartitionModel& partition, LoadedPartition& loaded)
    {
        const Kernel& kernel = *loaded.kernel;
        PvNeeds needs{loaded.ramdisk_bytes, partition.memory_mib.value * frames_per_mib, is_store_client(partition)};
        const uint64_t special = partition.persistent_frames + partition.dma_frames;
        if (special != 0 && special < needs.memory_frames)
            needs.mapping_limit = first_special_frame(partition);
        const auto layout = lay_out_pv(kernel, needs);
        const auto least = layout ? least_memory_frames(kernel, needs) : refuse(layout.error());
        if (!least) {
            report_.error(partition.kernel.at,
                          sentence("kernel ", Quoted{partition.kernel.value}, ' ', least.error()));
            return false;
        }
        loaded.layout = *layout;
        if (layout->used_frames + special > needs.memory_frames) {
            report_.error(partition.memory_mib.at, too_little(partition, loaded, *least));
            return false;
        }
        const uint64_t left = needs.memory_frames - layout->used_frames - special;
        if (kernel.notes.guest_os.starts_with("linux") && left < tight_frames)
            report_.warning(partition.memory_mib.at,
                            sentence("memory leaves ", Size{left << page_shift}, " to ", Quoted{partition.name.value},
                                     " when kernel and ramdisk are in place; Linux needs more to start"));
        return true;
    }

    bool lay_out_hardware(const PartitionModel& partition, LoadedPartition& loaded)
    {
        const uint64_t frames = partition.memory_mib.value * frames_per_mib;
        PvhLayout layout = lay_out_pvh(*loaded.kernel, {loaded.ramdisk_bytes, frames, partition.vcpus.value,
                                                        is_store_client(partition),
                                                        partition.cmdline.value});
        if (layout.least_frames > frames) {
            report_.error(partition.memory_mib.at,
                          sentence("memory is ", partition.memory_mib.value, " MiB, too little for ",
                                   Quoted{partition.name.value}, "; at least ",
                                   (layout.least_frames + frames_per_mib - 1) / frames_per_mib, " MiB are needed"));
            return false;
        }
        if (!layout.fits_below_pages) {
            report_.error(partition.kernel.at,
                          sentence("kernel and ramdisk of ", Quoted{partition.name.value}, " take ",
                                   Size{layout.least_frames << page_shift}, "; in a pvh partition they fit into 1 GiB"));
            return false;
        }
        loaded.layout = {layout.start, layout.least_frames};
        loaded.pages = std::move(layout);
        return true;
    }

    static std::string too_little(const PartitionModel& partition, const LoadedPartition& loaded, uint64_t least)
    {
        const Kernel& kernel = *loaded.kernel;
        const std::string ramdisk =
            loaded.ramdisk_bytes == 0 ? "" : sentence("ramdisk ", Size{loaded.ramdisk_bytes}, ", ");
        const uint64_t rest = least - kernel.end_pfn - frames_for(loaded.ramdisk_bytes);
        return sentence("memory is ", partition.memory_mib.value, " MiB, too little for ",
                        Quoted{partition.name.value}, "; at least ",
                        (least + partition.persistent_frames + partition.dma_frames + frames_per_mib - 1) / frames_per_mib,
                        " MiB are needed (kernel up to ", Size{kernel.end_pfn << page_shift}, ", ", ramdisk,
                        "page tables, lists and padding ", Size{rest << page_shift}, ")");
    }

    void fill(const PartitionModel& partition, LoadedPartition& loaded)
    {
        const auto& name = partition.name.value;
        for (const auto& piece : loaded.kernel->pieces) {
            if (piece.content.empty())
                continue;
            const auto user = sentence(name, ": kernel at frame ", Hex{piece.pfn});
            loaded.segments.push_back({piece.pfn, piece.frames, payloads_.add(piece.content, user), 0});
        }
        add_ramdisk(name, loaded);
        if (!is_hardware(partition))
            return;
        const auto user = sentence(name, ": start info and ACPI tables at frame ", Hex{loaded.pages.pages_pfn});
        loaded.segments.push_back({loaded.pages.pages_pfn, loaded.pages.pages_frames,
                                   payloads_.add(loaded.pages.pages, user), 0});
    }

    void add_ramdisk(const std::string& name, LoadedPartition& loaded)
    {
        if (loaded.ramdisk_bytes == 0)
            return;
        const uint64_t pfn = loaded.layout.start.ramdisk_pfn;
        const auto user = sentence(name, loaded.slice.empty() ? ": ramdisk" : ": slice", " at frame ", Hex{pfn});
        const uint32_t payload = payloads_.add(ramdisk_, user);
        loaded.segments.push_back({pfn, frames_for(loaded.ramdisk_bytes), payload, 0});
    }

    const SystemModel& system_;
    PayloadStore& payloads_;
    Report& report_;
    std::map<std::pair<std::string, bool>, KernelResult> kernels_;   // by path and whether for pvh
    Bytes ramdisk_;
};

}  // namespace

std::vector<LoadedPartition> load_partitions(const SystemModel& system, PayloadStore& payloads, Report& report)
{
    Loader loader(system, payloads, report);
    std::vector<LoadedPartition> all;
    for (const auto& partition : system.partitions)
        all.push_back(loader.load(partition));
    return all;
}

}  // namespace bulkhead::tool
