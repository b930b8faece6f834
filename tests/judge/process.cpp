#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "interrupt.h"
#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = 64 * 1024;      // kept of what a child prints
constexpr rlim_t kLargestFile = rlim_t{256} << 20;  // bytes that a child may write to one file
constexpr int kPollMilliseconds = 20;               // between looks at whether the child has ended

// A child that has used this share of the time that has passed, or more, is at work, and has not only been waiting.
constexpr double kShareAtWork = 0.05;
constexpr int kMostPatience = 8;  // times the limit

struct PipeEnds {
  int read = -1, write = -1;
};

PipeEnds make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw InternalError(format("cannot make a pipe: %s", std::strerror(errno)));
  // Out of the way of 0 to 4, which the child gives a meaning.
  PipeEnds result;
  result.read = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
  result.write = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
  close(ends[0]);
  close(ends[1]);
  if (result.read < 0 || result.write < 0)
    throw InternalError(format("cannot make a pipe: %s", std::strerror(errno)));
  return result;
}

void close_fd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

void set_limit(int resource, rlim_t value) {
  rlimit limit{};
  getrlimit(resource, &limit);
  limit.rlim_cur = std::min(value, limit.rlim_max);
  setrlimit(resource, &limit);
}

// In the child, between fork and exec: system calls only. Returns if exec failed.
void become(char* const* arguments, int request, int reply, int output, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the judge died before it could be watched
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(output, 1);
  dup2(output, 2);
  if (request >= 0) {
    dup2(request, 3);
    dup2(reply, 4);
  } else if (null != 3) {
    close(3);
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  set_limit(RLIMIT_CORE, 0);
  set_limit(RLIMIT_FSIZE, kLargestFile);
  execvp(arguments[0], arguments);
}

}  // namespace

Process::Process(const std::vector<std::string>& command, Pipes pipes) {
  try {
    start(command, pipes);
  } catch (...) {
    close_all();
    throw;
  }
}

Process::~Process() {
  kill_group();
  close_all();
}

void Process::start(const std::vector<std::string>& command, Pipes pipes) {
  PipeEnds request, reply;
  if (pipes == Pipes::kTalking) {
    request = make_pipe();
    reply = make_pipe();
  }
  PipeEnds output = make_pipe();
  PipeEnds failure = make_pipe();  // carries errno if exec fails, closes if it succeeds
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    become(arguments.data(), request.read, reply.write, output.write, parent);
    const int error = errno;
    [[maybe_unused]] const ssize_t put = write(failure.write, &error, sizeof(error));
    _exit(127);
  }
  const int fork_error = errno;
  if (pid_ > 0) {
    setpgid(pid_, pid_);  // also here, so that it holds before anybody kills the group
    set_child_group(pid_);
  }
  close_fd(request.read);
  close_fd(reply.write);
  close_fd(output.write);
  close_fd(failure.write);
  request_fd_ = request.write;
  reply_fd_ = reply.read;
  output_fd_ = output.read;

  int exec_error = 0;
  ssize_t got = 0;
  if (pid_ > 0) {
    do {
      got = read(failure.read, &exec_error, sizeof(exec_error));
    } while (got < 0 && errno == EINTR);
  }
  close_fd(failure.read);
  if (pid_ < 0) {
    ended_ = true;
    throw InternalError(format("cannot start a process: %s", std::strerror(fork_error)));
  }
  if (got > 0) {
    kill_group();
    throw InternalError(format("cannot run %s: %s", command[0].c_str(), std::strerror(exec_error)));
  }
  for (const int fd : {request_fd_, reply_fd_, output_fd_})
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// Processor time of the child, all of its threads together.
Seconds Process::computed() const {
  clockid_t clock;
  timespec time;
  if (ended_ || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0)
    return Seconds{0};
  return Seconds{static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec)};
}

Process::Event Process::exchange(
    std::string_view request, void* reply, std::size_t reply_size, Seconds limit,
    std::size_t* received) {
  const auto start = Clock::now();
  const Seconds computed_before = computed();
  const auto out_of_time = [&] {
    const Seconds passed = Clock::now() - start;
    if (passed < limit) return false;
    const Seconds used = computed() - computed_before;
    return used >= limit || used < kShareAtWork * passed || passed >= kMostPatience * limit;
  };
  *received = 0;
  bool closed = false, gone = false;
  while (!request.empty() || *received < reply_size) {
    pollfd fds[] = {
        {output_fd_, POLLIN, 0},
        {*received < reply_size ? reply_fd_ : -1, POLLIN, 0},
        {request.empty() ? -1 : request_fd_, POLLOUT, 0}};
    poll(fds, 3, kPollMilliseconds);
    if (interrupted()) throw Interrupted{};
    drain_output();
    bool progress = false;
    if (fds[1].revents != 0) {
      const ssize_t got =
          read(reply_fd_, static_cast<char*>(reply) + *received, reply_size - *received);
      if (got > 0) *received += got;
      progress = got > 0;
      closed = got == 0;
    }
    if (fds[2].revents != 0) {
      const ssize_t put = write(request_fd_, request.data(), request.size());
      if (put > 0) request.remove_prefix(put);
      if (put < 0 && errno == EPIPE) request = {};  // nobody listens: only a reply can help now
      progress = progress || put > 0;
    }
    if (out_of_time()) return Event::kTimedOut;
    if (progress) continue;
    if (closed || gone) return Event::kEnded;
    gone = reaped();  // one more round, for what it said before it ended
  }
  return Event::kDone;
}

Process::Event Process::finish(Seconds limit, std::size_t* unexpected) {
  const auto deadline = Clock::now() + limit;
  *unexpected = 0;
  close_fd(request_fd_);
  while (true) {
    const bool gone = reaped();
    pollfd fds[] = {{output_fd_, POLLIN, 0}, {reply_fd_, POLLIN, 0}};
    if (!gone) poll(fds, 2, kPollMilliseconds);
    if (interrupted()) throw Interrupted{};
    drain_output();
    if (reply_fd_ >= 0) {
      char buffer[4096];
      for (int round = 0; round < 64; ++round) {
        const ssize_t got = read(reply_fd_, buffer, sizeof(buffer));
        if (got <= 0) break;
        *unexpected += got;
      }
    }
    if (gone) break;
    if (Clock::now() >= deadline) {
      kill_group();
      return Event::kTimedOut;
    }
  }
  kill_group();
  return Event::kDone;
}

bool Process::has_unread_reply() {
  pollfd fd{reply_fd_, POLLIN, 0};
  return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN) != 0;
}

bool Process::reaped() {
  if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return ended_;
}

void Process::kill_group() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);  // also after its end: the group may have other members
  while (!ended_) {
    if (waitpid(pid_, &status_, 0) == pid_ || errno == ECHILD) ended_ = true;
  }
  drain_output();
  set_child_group(0);
}

void Process::drain_output() {
  char buffer[16 * 1024];
  // Bounded, so that a flood cannot keep the judge from looking at the clock.
  for (int round = 0; round < 64 && output_fd_ >= 0; ++round) {
    const ssize_t got = read(output_fd_, buffer, sizeof(buffer));
    if (got == 0) close_fd(output_fd_);
    if (got <= 0) return;
    output_.append(buffer, std::min<std::size_t>(got, kMostOutput - output_.size()));
  }
}

std::string Process::ending() const {
  if (WIFEXITED(status_)) return format("exited with status %d", WEXITSTATUS(status_));
  const int signal = WTERMSIG(status_);
  return format("was killed by signal %d (%s)", signal, strsignal(signal));
}

bool Process::exited_with(int status) const {
  return ended_ && WIFEXITED(status_) && WEXITSTATUS(status_) == status;
}

void Process::close_all() {
  close_fd(request_fd_);
  close_fd(reply_fd_);
  close_fd(output_fd_);
}

}  // namespace judge
