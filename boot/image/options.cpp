// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image/options.hpp"

#include <array>
#include <charconv>

namespace bulkhead::tool {

const std::string_view image_usage =
    "usage: bulkhead-image --image bulkhead.elf --loaders DIR --key KEY.pem --output DIR\n"
    "         [--version N] [--minimum-version N] [--tries N]\n"
    "         [--slot-mib N] [--flash-mib N] [--payload-mib N]\n"
    "Makes what each firmware starts of an image that bulkhead-plan has written.\n";

namespace {

Outcome<uint64_t> number(std::string_view option, std::string_view text)
{
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return refuse(option, " needs a number, not ", Quoted{text});
    return value;
}

}  // namespace

Outcome<ImageOptions> parse_image_options(const std::vector<std::string_view>& arguments)
{
    ImageOptions options;
    struct Text {
        std::string_view name;
        std::string* to;
    };
    struct Number {
        std::string_view name;
        uint64_t* to;
    };
    const std::array texts{Text{"--image", &options.image}, Text{"--loaders", &options.loaders},
                           Text{"--key", &options.key}, Text{"--output", &options.output}};
    const std::array numbers{Number{"--version", &options.version}, Number{"--minimum-version", &options.minimum_version},
                             Number{"--tries", &options.tries},
                             Number{"--slot-mib", &options.slot_mib}, Number{"--flash-mib", &options.flash_mib},
                             Number{"--payload-mib", &options.payload_mib}};
    for (size_t i = 0; i < arguments.size(); ++i) {
        const auto word = arguments[i];
        if (word == "--help" || word == "-h") {
            options.help = true;
            continue;
        }
        const auto value = i + 1 < arguments.size() ? arguments[i + 1] : std::string_view{};
        bool known = false;
        for (const auto& text : texts) {
            if (text.name == word) {
                *text.to = value;
                known = true;
            }
        }
        for (const auto& entry : numbers) {
            if (entry.name == word) {
                *entry.to = ATTEMPT(number(word, value));
                known = true;
            }
        }
        if (!known)
            return refuse("unknown option ", word);
        ++i;
    }
    if (options.help)
        return options;
    for (const auto& text : texts) {
        if (text.to->empty())
            return refuse(text.name, " is needed");
    }
    if (options.version == 0)
        return refuse("--version 0 is no version; the first one is 1");
    if (options.minimum_version > options.version)
        return refuse("--minimum-version ", options.minimum_version, " would forbid this very version, ", options.version);
    if (options.tries == 0 || options.tries > 100)
        return refuse("--tries has to be 1 to 100");
    return options;
}

}  // namespace bulkhead::tool
