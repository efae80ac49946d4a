// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::tool {

namespace {

constexpr uint64_t largest_file = uint64_t{3} << 30;

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    [[nodiscard]] int get() const { return number_; }
    bool close() { return ::close(std::exchange(number_, -1)) == 0; }

private:
    int number_;
};

std::string why() { return std::strerror(errno); }

Outcome<void> write_all(int descriptor, View content)
{
    while (!content.empty()) {
        const ssize_t count = write(descriptor, content.data(), content.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return refuse(why());
        content = content.subspan(static_cast<size_t>(count));
    }
    return {};
}

Outcome<void> write_file(const std::string& path, View content)
{
    Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.get() < 0)
        return refuse("cannot write ", path, ": ", why());
    if (const auto written = write_all(file.get(), content); !written)
        return refuse("cannot write ", path, ": ", written.error());
    if (!file.close())
        return refuse("cannot write ", path, ": ", why());
    return {};
}

}  // namespace

Outcome<Bytes> read_file(const std::string& path)
{
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0)
        return errno == ENOENT ? refuse("does not exist") : refuse("cannot be read: ", why());
    struct stat status {};
    if (fstat(file.get(), &status) != 0)
        return refuse("cannot be read: ", why());
    if (S_ISDIR(status.st_mode))
        return refuse("is a folder; a file is needed");
    if (!S_ISREG(status.st_mode))
        return refuse("is not a regular file");
    if (static_cast<uint64_t>(status.st_size) > largest_file)
        return refuse("has ", Size{static_cast<uint64_t>(status.st_size)}, "; at most ", Size{largest_file},
                      " are possible");
    Bytes content(static_cast<size_t>(status.st_size));
    size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = read(file.get(), content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return refuse("cannot be read: ", why());
        if (count == 0)
            break;  // it shrank meanwhile
        done += static_cast<size_t>(count);
    }
    content.resize(done);
    return content;
}

Outcome<void> write_files(const std::string& folder, const std::vector<OutputFile>& files)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return refuse("cannot make the folder ", folder, ": ", error.message());
    const auto temporary = [&folder](const OutputFile& file) {
        return folder + "/." + file.name + '.' + std::to_string(getpid());
    };
    Outcome<void> result;
    for (const auto& file : files)
        if (result)
            result = write_file(temporary(file), file.content);
    for (const auto& file : files)
        if (result && std::rename(temporary(file).c_str(), (folder + '/' + file.name).c_str()) != 0)
            result = refuse("cannot write ", folder, '/', file.name, ": ", why());
    if (!result)
        for (const auto& file : files)
            unlink(temporary(file).c_str());
    return result;
}

}  // namespace bulkhead::tool
