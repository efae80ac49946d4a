// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/process.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::tool {

namespace {

struct Pipe {
    std::array<int, 2> ends{-1, -1};

    Pipe() = default;
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe()
    {
        close_end(0);
        close_end(1);
    }
    bool open() { return pipe(ends.data()) == 0; }
    void close_end(size_t which)
    {
        if (ends[which] >= 0)
            close(ends[which]);
        ends[which] = -1;
    }
};

// Reads what is there; false at the end of the stream.
bool drain(int descriptor, Bytes& into)
{
    std::array<uint8_t, 65536> buffer;
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count < 0)
        return errno == EINTR;
    append(into, View(buffer.data(), static_cast<size_t>(count)));
    return count != 0;
}

void drain_both(Pipe& output, Pipe& messages, Bytes& output_bytes, Bytes& message_bytes)
{
    while (output.ends[0] >= 0 || messages.ends[0] >= 0) {
        std::array<pollfd, 2> waiting{{{output.ends[0], POLLIN, 0}, {messages.ends[0], POLLIN, 0}}};
        if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
            return;
        if (waiting[0].revents != 0 && !drain(output.ends[0], output_bytes))
            output.close_end(0);
        if (waiting[1].revents != 0 && !drain(messages.ends[0], message_bytes))
            messages.close_end(0);
    }
}

}  // namespace

Outcome<Finished> run(const std::vector<std::string>& command)
{
    Pipe output;
    Pipe messages;
    if (!output.open() || !messages.open())
        return refuse("cannot make a pipe: ", std::strerror(errno));

    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output.ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, messages.ends[1], 2);
    for (const int end : {output.ends[0], output.ends[1], messages.ends[0], messages.ends[1]})
        if (end > 2)
            posix_spawn_file_actions_addclose(&actions, end);
    pid_t child = 0;
    const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return refuse("cannot run ", command[0], ": ", std::strerror(error));

    output.close_end(1);
    messages.close_end(1);
    Finished finished;
    Bytes message_bytes;
    drain_both(output, messages, finished.output, message_bytes);
    finished.messages.assign(message_bytes.begin(), message_bytes.end());
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return finished;
}

}  // namespace bulkhead::tool
