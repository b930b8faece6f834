// A child process in a process group of its own, talked to through pipes, under a time limit.
//
// Its standard output and error are captured, up to a cap, and never block it. Whatever happens, the destructor
// kills the whole group.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace judge {

using Seconds = std::chrono::duration<double>;

class Process {
 public:
  // A talking child gets a request pipe on descriptor 3 and a reply pipe on descriptor 4.
  enum class Pipes { kNone, kTalking };

  // Throws InternalError if the program cannot be started.
  Process(const std::vector<std::string>& command, Pipes pipes);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  enum class Event {
    kDone,      // everything was sent and received, or the process has ended if that was waited for
    kTimedOut,  // the limit passed
    kEnded,     // the process ended, or closed its reply pipe, before everything was received
  };

  // Sends all of request while receiving exactly reply_size bytes. received tells how many came. A child that computes
  // but gets too little of a busy machine has eight times the limit, as long as its own time is below the limit.
  Event exchange(
      std::string_view request, void* reply, std::size_t reply_size, Seconds limit,
      std::size_t* received);

  // Closes the request pipe and waits for the process to end. Counts what it still says on the reply pipe.
  Event finish(Seconds limit, std::size_t* unexpected);

  // True if the child has said something that nobody asked for.
  bool has_unread_reply();

  // Kills the group, if that is still needed, and waits for the child.
  void kill_group();

  // "exited with status 3", "was killed by signal 11 (Segmentation fault)". Only after its end.
  std::string ending() const;
  // True if it exited with this status.
  bool exited_with(int status) const;

  const std::string& output() const { return output_; }

 private:
  void start(const std::vector<std::string>& command, Pipes pipes);
  bool reaped();
  Seconds computed() const;
  void drain_output();
  void close_all();

  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
  int request_fd_ = -1, reply_fd_ = -1, output_fd_ = -1;
  std::string output_;
};

}  // namespace judge
