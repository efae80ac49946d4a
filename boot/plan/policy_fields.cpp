// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/policy_fields.hpp"

#include <algorithm>

#include "boot/plan/nearest.hpp"
#include "boot/plan/readers.hpp"

namespace bulkhead::tool {

namespace {

using P = PartitionModel;
constexpr uint64_t shortest_budget_us = 50;
constexpr uint64_t shortest_period_us = 100;
constexpr uint64_t longest_period_us = 10'000'000;
constexpr uint64_t most_grant_frames = 1024;

// An action's word in xl. Some ask for more than can be done; then `note` says what is done.
struct ActionWord {
    std::string_view word;
    plan::Action action;
    std::string_view note;
    bool refused;
};

constexpr std::array<ActionWord, 7> action_words{{
    {"destroy", plan::Action::destroy, "", false},
    {"restart", plan::Action::restart, "", false},
    {"preserve", plan::Action::preserve, "", false},
    {"coredump-destroy", plan::Action::destroy,
     "there is no disk for a core dump; the partition is destroyed, its registers and log are kept", false},
    {"coredump-restart", plan::Action::restart,
     "there is no disk for a core dump; the partition restarts, its registers and log are kept", false},
    {"rename-restart", plan::Action::restart,
     "both the old and the new partition would need the memory; use \"restart\" or \"preserve\"", true},
    {"soft-reset", plan::Action::restart,
     "memory is scrubbed between two lives; use \"restart\"", true},
}};

template <auto Member>
Outcome<void> read_action(const Property& property, P& target, Report& report)
{
    const auto word = ATTEMPT(text(property.value));
    std::vector<std::string_view> words;
    for (const auto& known : action_words) {
        if (!known.refused)
            words.push_back(known.word);
        if (known.word != word)
            continue;
        if (known.refused)
            return refuse("= ", Quoted{word}, " is not available: ", known.note);
        if (!known.note.empty())
            report.warning(property.at, sentence(property.name, " = ", Quoted{word}, ": ", known.note));
        (target.*Member).state(known.action, property.at);
        return {};
    }
    return refuse("is ", Quoted{word}, "; ",
                  suggestion(word, words, "\"destroy\", \"restart\" or \"preserve\" is expected"));
}

// Yes is everything; else words.
Outcome<void> read_trust(const Property& property, P& target, Report&)
{
    if (const auto all = boolean(property.value)) {
        target.trust.state(static_cast<uint8_t>(*all ? plan::trust_all : 0), property.at);
        return {};
    }
    std::vector<std::string_view> known;
    for (const auto& each : speculation_words)
        known.push_back(each.word);
    uint8_t trust = 0;
    for (const auto& word : ATTEMPT(texts(property.value))) {
        const auto found = std::ranges::find(speculation_words, word, &SpeculationWord::word);
        if (found == std::end(speculation_words))
            return refuse("has ", Quoted{word}, "; ",
                          suggestion(word, known, "it is yes, no, or some of \"meltdown\", \"l1tf\", \"mds\", \"ssb\", \"spectre-v2\""));
        trust = static_cast<uint8_t>(trust | found->bit);
    }
    target.trust.state(trust, property.at);
    return {};
}

constexpr std::array fields{
    Field<P>{"on_poweroff", read_action<&P::on_poweroff>},
    Field<P>{"on_reboot", read_action<&P::on_reboot>},
    Field<P>{"on_crash", read_action<&P::on_crash>},
    Field<P>{"on_watchdog", read_action<&P::on_watchdog>},
    Field<P>{"priority", read_number<&P::priority, 0, 31>},
    Field<P>{"budget", read_number<&P::budget_us, shortest_budget_us, longest_period_us>},
    Field<P>{"period", read_number<&P::period_us, shortest_period_us, longest_period_us>},
    Field<P>{"realtime", read_boolean<&P::realtime>},
    Field<P>{"autostart", read_boolean<&P::autostart>},
    Field<P>{"pv-linear-pt", read_boolean<&P::pv_linear_pt>},
    Field<P>{"trusted-speculation", read_trust},
    Field<P>{"grant-frames", read_number<&P::grant_frames, 1, most_grant_frames>},
    Field<P>{"max_grant_frames", read_number<&P::grant_frames, 1, most_grant_frames>},
};

}  // namespace

std::span<const Field<PartitionModel>> policy_fields() { return fields; }

}  // namespace bulkhead::tool
