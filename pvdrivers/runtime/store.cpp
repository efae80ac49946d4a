// SPDX-License-Identifier: BSD-2-Clause
// Requests of the store's client. Source: xen/docs/misc/xenstore.txt.
#include "pvdrivers/runtime/store_link.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace bulkhead {

namespace {

constexpr std::string_view end_of_text{"", 1};

// The strings of a payload, each with a NUL at its end, but perhaps the last.
template <class Use>
void for_each_text(std::string_view payload, Use use)
{
    while (!payload.empty()) {
        const size_t end = std::min(payload.find('\0'), payload.size());
        use(payload.substr(0, end));
        payload.remove_prefix(std::min(end + 1, payload.size()));
    }
}

struct Digits {
    explicit Digits(uint64_t number) : end(std::to_chars(text, text + sizeof(text), number).ptr) {}
    [[nodiscard]] std::string_view view() const { return {text, static_cast<size_t>(end - text)}; }
    char text[20];
    char* end;
};

template <class Number>
Result<Number> parse(std::string_view text)
{
    Number number = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
    if (error != std::errc{} || end != text.end() || text.empty())
        return failure(XEN_EINVAL);
    return number;
}

Result<> without_text(const Result<std::string>& answer)
{
    if (!answer)
        return failure(answer.error());
    return {};
}

}  // namespace

Result<> Store::tell(uint32_t type, Transaction transaction, Parts parts)
{
    return without_text(ask(type, transaction, parts));
}

Result<std::string> Store::read(std::string_view path, Transaction transaction)
{
    return ask(XS_READ, transaction, {path, end_of_text});
}

Result<uint64_t> Store::read_number(std::string_view path, Transaction transaction)
{
    const auto text = read(path, transaction);
    if (!text)
        return failure(text.error());
    return parse<uint64_t>(*text);
}

Result<std::vector<std::string>> Store::directory(std::string_view path, Transaction transaction)
{
    const auto names = ask(XS_DIRECTORY, transaction, {path, end_of_text});
    if (!names && names.error() == XEN_E2BIG)
        return directory_in_parts(path, transaction);
    if (!names)
        return failure(names.error());
    std::vector<std::string> list;
    for_each_text(*names, [&](std::string_view name) { list.emplace_back(name); });
    return list;
}

// The list's version, the names from an offset on, and one NUL more behind the last of all. If the
// version changes meanwhile it is begun again.
Result<std::vector<std::string>> Store::directory_in_parts(std::string_view path, Transaction transaction)
{
    for (unsigned tries = 0; tries < most_tries; ++tries) {
        std::string version;
        std::string names;
        for (bool same = true; same;) {
            const Digits offset(names.size());
            const auto part =
                ask(XS_DIRECTORY_PART, transaction, {path, end_of_text, offset.view(), end_of_text});
            if (!part)
                return failure(part.error());
            const size_t end = std::min(part->find('\0'), part->size());
            same = names.empty() || part->compare(0, end, version) == 0;
            version.assign(*part, 0, end);
            const size_t before = names.size();
            names.append(*part, std::min(end + 1, part->size()), std::string::npos);
            if (!same)
                continue;
            if (names.size() == before)
                return failure(XEN_EIO);            // neither a name nor the end
            if (names.size() == 1 || names[names.size() - 2] == '\0') {
                std::vector<std::string> list;
                for_each_text(std::string_view(names).substr(0, names.size() - 1),
                              [&](std::string_view name) { list.emplace_back(name); });
                return list;
            }
        }
    }
    return failure(XEN_EAGAIN);
}

Result<> Store::write(std::string_view path, std::string_view value, Transaction transaction)
{
    return tell(XS_WRITE, transaction, {path, end_of_text, value});
}

Result<> Store::write_number(std::string_view path, uint64_t value, Transaction transaction)
{
    return write(path, Digits(value).view(), transaction);
}

Result<> Store::make_directory(std::string_view path, Transaction transaction)
{
    return tell(XS_MKDIR, transaction, {path, end_of_text});
}

Result<> Store::remove(std::string_view path, Transaction transaction)
{
    return tell(XS_RM, transaction, {path, end_of_text});
}

Result<> Store::set_permissions(std::string_view path, std::span<const StorePermission> permissions,
                                Transaction transaction)
{
    std::string list;
    for (const StorePermission& permission : permissions) {
        list += permission.rights;
        list += Digits(static_cast<uint16_t>(permission.domain)).view();
        list += '\0';
    }
    return tell(XS_SET_PERMS, transaction, {path, end_of_text, list});
}

Result<std::vector<StorePermission>> Store::permissions(std::string_view path, Transaction transaction)
{
    const auto texts = ask(XS_GET_PERMS, transaction, {path, end_of_text});
    if (!texts)
        return failure(texts.error());
    std::vector<StorePermission> list;
    bool good = true;
    for_each_text(*texts, [&](std::string_view text) {
        const auto domain = parse<uint16_t>(text.substr(std::min<size_t>(1, text.size())));
        good = good && domain && std::string_view("nrwb").find(text[0]) != std::string_view::npos;
        if (good)
            list.push_back({StorePermission::Rights(text[0]), Domain(*domain)});
    });
    if (!good)
        return failure(XEN_EIO);
    return list;
}

Result<Transaction> Store::begin()
{
    const auto text = ask(XS_TRANSACTION_START, Transaction::none, {end_of_text});
    if (!text)
        return failure(text.error());
    const auto number = parse<uint32_t>(std::string_view(*text).substr(0, text->find('\0')));
    if (!number || *number == 0)
        return failure(XEN_EIO);
    return Transaction(*number);
}

Result<> Store::end(Transaction transaction, bool commit)
{
    return tell(XS_TRANSACTION_END, transaction, {std::string_view(commit ? "T" : "F", 2)});
}

// --- Watches ------------------------------------------------------------------------

Result<> Store::set_watch(const Watched& watched)
{
    return tell(XS_WATCH, Transaction::none,
                {watched.path, end_of_text, Digits(watched.number).view(), end_of_text});
}

Store::Watched* Store::watched(uint32_t number)
{
    const auto found = std::ranges::find(watches_, number, &Watched::number);
    return number == 0 || found == watches_.end() ? nullptr : &*found;
}

Result<Watch> Store::watch(std::string_view path, WatchHandler handler)
{
    // Known before it is set: its first event comes with the answer.
    const uint32_t number = next_watch_++;
    watches_.push_back({std::string(path), handler, number});
    if (const auto done = set_watch(Watched(watches_.back())); !done) {
        std::erase_if(watches_, [&](const Watched& one) { return one.number == number; });
        return failure(done.error());
    }
    return Watch(number);
}

Result<> Store::unwatch(Watch watch)
{
    const auto number = static_cast<uint32_t>(watch);
    const Watched* found = watched(number);
    if (found == nullptr)
        return failure(XEN_ENOENT);
    const std::string path = found->path;
    std::erase_if(watches_, [&](const Watched& one) { return one.number == number; });
    std::erase_if(events_, [&](const Event& event) { return event.watch == number; });
    return tell(XS_UNWATCH, Transaction::none, {path, end_of_text, Digits(number).view(), end_of_text});
}

// An event that waits already tells all that a second one would. When too many wait, the watch as
// a whole has changed, which its own path says.
void Store::take_event(std::string_view payload)
{
    const size_t end = std::min(payload.find('\0'), payload.size());
    std::string_view path = payload.substr(0, end);
    const std::string_view rest = payload.substr(std::min(end + 1, payload.size()));
    const auto number = parse<uint32_t>(rest.substr(0, rest.find('\0')));
    const Watched* watch = number ? watched(*number) : nullptr;
    if (watch == nullptr)
        return;                         // of a watch that is gone, or of a former life
    if (events_.size() >= most_events)
        path = watch->path;
    for (const Event& event : events_)
        if (event.watch == *number && event.path == path)
            return;
    if (events_.size() >= most_events + watches_.size())
        return;
    events_.push_back({std::string(path), *number});
    if (!delivering_)
        link_.deliver_soon();
}

void Store::deliver()
{
    delivering_ = true;
    (void)take_messages();
    delivering_ = false;
    // Handlers may call the store: what comes meanwhile is for the next wait.
    for (const Event& event : std::exchange(events_, {})) {
        const Watched* watch = watched(event.watch);
        if (watch != nullptr && watch->handler.function != nullptr)
            watch->handler.function(watch->handler.context, event.path);
    }
}

}  // namespace bulkhead
