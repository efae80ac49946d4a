// SPDX-License-Identifier: BSD-2-Clause
// A Linux program: looks at, or writes to, memory that the plan shares with its partition.
//
//   shared-memory NAME            says what there is, and shows its first 64 bytes
//   shared-memory NAME wait N     the same after each of N rings of its bell
//   shared-memory NAME write TEXT writes the text at its beginning and rings the bell
//
// The store says how to get at it (nodes below shared-memory/NAME), /dev/xen/gntdev maps it,
// /dev/xen/evtchn is its bell: the modules xen-gntdev and xen-evtchn, and root's rights.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>

#include <xen/evtchn.h>
#include <xen/gntdev.h>
#include <xen/io/xs_wire.h>
}

namespace {

constexpr size_t page_bytes = 4096;

[[noreturn]] void fail(const std::string& what)
{
    std::fprintf(stderr, "shared-memory: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

int open_device(const char* path, const char* module)
{
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        fail(std::string(path) + " (kernel module " + module + ")");
    return file;
}

// The store, by the kernel's own connection to it.
class Store {
public:
    // The value of a node; relative paths are below the own domain's.
    std::string read_node(const std::string& path)
    {
        const xsd_sockmsg request{XS_READ, 0, 0, static_cast<uint32_t>(path.size() + 1)};
        std::vector<char> bytes(sizeof(request) + path.size() + 1);
        std::memcpy(bytes.data(), &request, sizeof(request));
        std::memcpy(bytes.data() + sizeof(request), path.c_str(), path.size() + 1);
        if (write(file_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
            fail("asking the store");
        xsd_sockmsg answer;
        receive(&answer, sizeof(answer));
        std::string value(answer.len, '\0');
        receive(value.data(), value.size());
        if (answer.type != XS_READ) {
            errno = ENOENT;
            fail("the store's node " + path + ": " + value.c_str());
        }
        return value;
    }
    uint64_t read_number(const std::string& path) { return std::strtoull(read_node(path).c_str(), nullptr, 10); }

private:
    void receive(void* to, size_t size)
    {
        for (size_t done = 0; done < size;) {
            const ssize_t got = read(file_, static_cast<char*>(to) + done, size - done);
            if (got <= 0)
                fail("the store's answer");
            done += static_cast<size_t>(got);
        }
    }
    int file_ = open_device("/dev/xen/xenbus", "built in");
};

struct Region {
    uint32_t domain, ref, port;
    size_t size;
    bool writable;
};

Region find(const std::string& name)
{
    Store store;
    const std::string place = "shared-memory/" + name;
    return {static_cast<uint32_t>(store.read_number(place + "/domid")),
            static_cast<uint32_t>(store.read_number(place + "/ref")),
            static_cast<uint32_t>(store.read_number(place + "/port")), store.read_number(place + "/size"),
            store.read_node(place + "/mode") == "rw"};
}

uint8_t* map(const Region& region)
{
    const int file = open_device("/dev/xen/gntdev", "xen-gntdev");
    const size_t pages = (region.size + page_bytes - 1) / page_bytes;
    std::vector<uint8_t> request(sizeof(ioctl_gntdev_map_grant_ref) + pages * sizeof(ioctl_gntdev_grant_ref));
    auto* head = reinterpret_cast<ioctl_gntdev_map_grant_ref*>(request.data());
    head->count = static_cast<uint32_t>(pages);
    for (size_t i = 0; i < pages; ++i)
        head->refs[i] = {region.domain, region.ref + static_cast<uint32_t>(i)};
    if (ioctl(file, IOCTL_GNTDEV_MAP_GRANT_REF, head) != 0)
        fail("IOCTL_GNTDEV_MAP_GRANT_REF");
    const int access = region.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void* at = mmap(nullptr, pages * page_bytes, access, MAP_SHARED, file, static_cast<off_t>(head->index));
    if (at == MAP_FAILED)
        fail("mapping the memory");
    return static_cast<uint8_t*>(at);
}

// An event channel: a read gives the number of the port that rang, and writing it back lets it ring again.
class Bell {
public:
    explicit Bell(const Region& region)
    {
        ioctl_evtchn_bind_interdomain request{region.domain, region.port};
        port_ = ioctl(file_, IOCTL_EVTCHN_BIND_INTERDOMAIN, &request);
        if (port_ < 0)
            fail("IOCTL_EVTCHN_BIND_INTERDOMAIN");
    }
    void wait()
    {
        uint32_t port;
        if (read(file_, &port, sizeof(port)) != sizeof(port) || write(file_, &port, sizeof(port)) != sizeof(port))
            fail("waiting for the bell");
    }
    void ring()
    {
        ioctl_evtchn_notify request{static_cast<unsigned int>(port_)};
        if (ioctl(file_, IOCTL_EVTCHN_NOTIFY, &request) != 0)
            fail("IOCTL_EVTCHN_NOTIFY");
    }

private:
    int file_ = open_device("/dev/xen/evtchn", "xen-evtchn");
    int port_;
};

// Another partition writes meanwhile: each byte is read once.
void show(const char* name, const volatile uint8_t* bytes, size_t size)
{
    std::printf("%s:", name);
    for (size_t i = 0; i < size && i < 64; ++i)
        std::printf("%s%02x", i % 8 == 0 ? " " : "", bytes[i]);
    std::printf("\n");
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments)
{
    const std::string_view action = count > 3 ? arguments[2] : "";
    if (count != 2 && (count != 4 || (action != "wait" && action != "write"))) {
        std::fprintf(stderr, "usage: shared-memory NAME [wait COUNT | write TEXT]\n");
        return 2;
    }
    const Region region = find(arguments[1]);
    std::printf("%s: %zu bytes, may be %s; grant %u and port %u of domain %u\n", arguments[1], region.size,
                region.writable ? "written" : "read", region.ref, region.port, region.domain);
    uint8_t* bytes = map(region);
    if (action == "write") {
        const std::string_view text = arguments[3];
        if (!region.writable || text.size() > region.size) {
            errno = region.writable ? ENOSPC : EACCES;
            fail("writing");
        }
        std::memcpy(bytes, text.data(), text.size());
        Bell(region).ring();
    } else if (action == "wait") {
        Bell bell(region);
        for (long rings = std::strtol(arguments[3], nullptr, 10); rings > 0; --rings) {
            bell.wait();
            show(arguments[1], bytes, region.size);
        }
    } else {
        show(arguments[1], bytes, region.size);
    }
    return 0;
}
