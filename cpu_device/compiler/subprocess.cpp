#include "subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

extern char** environ;

namespace cpu_device {

std::string run(
    const Strings& command, const std::string* input, bool capture, bool verbose,
    const char* errors) {
  if (verbose) {
    for (const std::string& word : command) fprintf(stderr, "%s ", word.c_str());
    fprintf(stderr, "\n");
  }
  int in[2] = {-1, -1}, out[2] = {-1, -1};
  if ((input != nullptr && pipe2(in, O_CLOEXEC) != 0) || (capture && pipe2(out, O_CLOEXEC) != 0)) {
    throw std::runtime_error(std::string("pipe: ") + strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input != nullptr) posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  if (capture) posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  if (errors != nullptr) {
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (input != nullptr) close(in[0]);
  if (capture) close(out[1]);
  if (error != 0) throw std::runtime_error("cannot run " + command[0] + ": " + strerror(error));

  std::thread writer;
  if (input != nullptr) {
    writer = std::thread([&] {
      size_t at = 0;
      while (at < input->size()) {
        const ssize_t n = write(in[1], input->data() + at, input->size() - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += static_cast<size_t>(n);
      }
      close(in[1]);
    });
  }
  std::string output;
  if (capture) {
    char buffer[1 << 16];
    for (;;) {
      const ssize_t n = read(out[0], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      output.append(buffer, static_cast<size_t>(n));
    }
    close(out[0]);
  }
  if (writer.joinable()) writer.join();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    throw std::runtime_error(
        command[0] + " was ended by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) throw ToolFailed{WEXITSTATUS(status)};
  return output;
}

}  // namespace cpu_device
