// SPDX-License-Identifier: BSD-2-Clause
// Random requests of three clients, with transactions, against a model that is a map from paths to
// values; the store stops at random and comes back. Every answer must be the model's.
#include "pvdrivers/store/server.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <map>
#include <random>

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

namespace {

using Tree = std::map<std::string, std::string>;

std::string parent_of(const std::string& path)
{
    return path.substr(0, path.rfind('/'));
}

void put(Tree& tree, const std::string& path, const std::string& value)
{
    for (std::string above = parent_of(path); above != "/open" && !tree.contains(above); above = parent_of(above))
        tree[above] = "";
    tree[path] = value;
}

void remove(Tree& tree, const std::string& path)
{
    std::erase_if(tree, [&](const auto& entry) { return is_below(entry.first, path); });
}

std::string children(const Tree& tree, const std::string& path)
{
    std::vector<std::string> names;
    for (const auto& [other, value] : tree) {
        if (parent_of(other) == path)
            names.push_back(other.substr(path.size() + 1));
    }
    std::string text;
    for (const std::string& name : names)
        text += name + " ";
    return text;
}

std::string sorted(std::string names)
{
    std::vector<std::string> list;
    for (size_t end = 0; (end = names.find(' ')) != std::string::npos; names.erase(0, end + 1))
        list.push_back(names.substr(0, end));
    std::sort(list.begin(), list.end());
    std::string text;
    for (const std::string& name : list)
        text += name + " ";
    return text;
}

struct Transaction {
    uint32_t id = 0;
    Tree seen;            // the model as the transaction sees it
    bool clean = true;    // nobody else changed anything since it began
};

}  // namespace

TEST_GROUP(Model)
{
    StoreBox box{3, 512 << 10, "/open\0b0\0\0"s};
    std::mt19937 random{42};
    void setup() override { box.start(); }
    void teardown() override { stop_at = UINT64_MAX; }

    uint32_t pick(uint32_t below) { return static_cast<uint32_t>(random()) % below; }
    std::string any_path()
    {
        std::string path = "/open";
        for (uint32_t depth = 1 + pick(3); depth != 0; --depth)
            path += "/" + std::string(1, static_cast<char>('a' + pick(4)));
        return path;
    }
    Answer ask(uint32_t client, uint32_t type, const std::string& payload, uint32_t transaction)
    {
        FakeClient& guest = *box.guests[client];
        guest.answers.clear();
        guest.send(type, payload, transaction);
        if (pick(4) == 0) {
            stop_points_passed = 0;
            stop_at = pick(120);
        }
        for (;;) {
            try {
                box.settle();
                break;
            } catch (const Stopped&) {
                stop_at = UINT64_MAX;
                box.start();
                ++restarts;
            }
        }
        stop_at = UINT64_MAX;
        LONGS_EQUAL(1, guest.answers.size());
        return guest.answers[0];
    }
    // What the store has below a path, by asking.
    void learn(Tree & tree, const std::string& path, uint32_t client)
    {
        std::string names = box.list(client, path);
        for (size_t end = 0; (end = names.find(' ')) != std::string::npos; names.erase(0, end + 1)) {
            const std::string child = path + "/" + names.substr(0, end);
            tree[child] = box.ask(client, XS_READ, child + "\0"s).text;
            learn(tree, child, client);
        }
    }
    Tree tree_of_store(uint32_t client)
    {
        Tree tree;
        learn(tree, "/open", client);
        return tree;
    }
    uint32_t restarts = 0;
};

TEST(Model, agrees_for_thousands_of_requests)
{
    Tree model;
    std::array<Transaction, 3> transactions;
    uint32_t committed = 0;
    uint32_t refused = 0;
    for (int step = 0; step < 6000; ++step) {
        const uint32_t client = pick(3);
        Transaction& mine = transactions[client];
        const bool inside = mine.id != 0 && pick(3) != 0;
        const uint32_t id = inside ? mine.id : 0;
        Tree& tree = inside ? mine.seen : model;
        const std::string path = any_path();
        bool changes = false;
        switch (pick(8)) {
        case 0:
        case 1: {
            const std::string value(pick(100), static_cast<char>('A' + pick(26)));
            STRCMP_EQUAL("", ask(client, XS_WRITE, path + "\0"s + value, id).error().c_str());
            put(tree, path, value);
            changes = true;
            break;
        }
        case 2:
        case 3: {
            const Answer answer = ask(client, XS_READ, path + "\0"s, id);
            // A transaction that others overtook may see a mixture; it cannot be committed any more.
            if (!inside || mine.clean)
                STRCMP_EQUAL(tree.contains(path) ? tree[path].c_str() : "ENOENT", answer.text.c_str());
            break;
        }
        case 4: {
            Answer answer = ask(client, XS_DIRECTORY, path + "\0"s, id);
            std::replace(answer.text.begin(), answer.text.end(), '\0', ' ');
            if (!inside || mine.clean)
                STRCMP_EQUAL(tree.contains(path) ? children(tree, path).c_str() : "ENOENT ",
                             answer.type == XS_ERROR ? answer.text.c_str() : sorted(answer.text).c_str());
            break;
        }
        case 5: {
            const std::string error = ask(client, XS_RM, path + "\0"s, id).error();
            const bool could_be = tree.contains(path) || parent_of(path) == "/open" || tree.contains(parent_of(path));
            if (!inside || mine.clean)
                STRCMP_EQUAL(could_be ? "" : "ENOENT", error.c_str());
            changes = tree.contains(path);
            remove(tree, path);
            break;
        }
        case 6:
            if (mine.id == 0) {
                mine = {static_cast<uint32_t>(std::strtoul(ask(client, XS_TRANSACTION_START, "\0"s, 0).text.c_str(), nullptr, 10)),
                        model, true};
            }
            break;
        default:
            if (mine.id != 0) {
                const bool keep = pick(4) != 0;
                const std::string error = ask(client, XS_TRANSACTION_END, keep ? "T\0"s : "F\0"s, mine.id).error();
                CHECK(error.empty() || (error == "EAGAIN" && keep && !mine.clean));
                if (keep && error.empty()) {
                    ++committed;
                    // One that was overtaken elsewhere only: its changes come on top of the others'.
                    model = mine.clean ? mine.seen : tree_of_store(client);
                    for (Transaction& other : transactions)
                        other.clean = other.clean && &other == &mine;
                }
                refused += error == "EAGAIN";
                mine = {};
            }
        }
        if (changes && !inside) {
            for (Transaction& other : transactions)
                other.clean = false;
        }
        const std::string problem = box.problem();
        STRCMP_EQUAL("", problem.c_str());
    }
    CHECK(committed > 100);
    CHECK(refused > 20);
    CHECK(restarts > 300);
    CHECK(box.reports.empty());
}
