// SPDX-License-Identifier: BSD-2-Clause
// A folder of its own for a test, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "boot/plan/bytes.hpp"

namespace bulkhead::test {

class Folder {
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "bulkhead-test-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string operator/(std::string_view name) const { return path_ + '/' + std::string(name); }
    [[nodiscard]] const std::string& path() const { return path_; }

    std::string write(std::string_view name, std::string_view content) const
    {
        const auto path = *this / name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    std::string write(std::string_view name, tool::View content) const
    {
        return write(name, std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
    }
    [[nodiscard]] std::string read(std::string_view name) const
    {
        std::ifstream file(*this / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    std::string path_;
};

}  // namespace bulkhead::test
