#include "judge/process.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>

#include "judge/text.h"
#include "judge/verdict.h"

namespace judge {
namespace {

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

TEST(Process, SendsReceivesAndCapturesOutput) {
  Process process(shell("echo hello; echo there >&2; head -c 5 <&3 >&4"), Process::Pipes::kTalking);
  char reply[5];
  std::size_t received = 0, unexpected = 0;
  EXPECT_EQ(process.exchange("12345", reply, 5, Seconds{5}, &received), Process::Event::kDone);
  EXPECT_EQ(std::string(reply, 5), "12345");
  EXPECT_EQ(process.finish(Seconds{5}, &unexpected), Process::Event::kDone);
  EXPECT_EQ(unexpected, 0u);
  EXPECT_TRUE(process.exited_with(0));
  EXPECT_EQ(process.output(), "hello\nthere\n");
}

TEST(Process, MovesMoreThanAPipeHolds) {
  Process process(shell("cat <&3 >&4"), Process::Pipes::kTalking);
  const std::string request(3'000'000, 'x');
  std::string reply(request.size(), '\0');
  std::size_t received = 0;
  EXPECT_EQ(
      process.exchange(request, reply.data(), reply.size(), Seconds{10}, &received),
      Process::Event::kDone);
  EXPECT_EQ(reply, request);
}

TEST(Process, TimesOutOnSilence) {
  Process process(shell("sleep 60"), Process::Pipes::kTalking);
  char reply[1];
  std::size_t received = 0;
  const double seconds = seconds_of([&] {
    EXPECT_EQ(process.exchange("", reply, 1, Seconds{0.2}, &received), Process::Event::kTimedOut);
  });
  EXPECT_LT(seconds, 5);
}

// Five programs share one processor, so that each gets a fifth of it.
TEST(Process, HasPatienceWithAChildOnABusyMachine) {
  const std::string on_one_cpu = format("taskset -c %d ", sched_getcpu());
  std::vector<std::unique_ptr<Process>> others;
  for (int n = 0; n < 4; ++n)
    others.push_back(std::make_unique<Process>(
        shell(on_one_cpu + "sh -c 'while :; do :; done'"), Process::Pipes::kNone));
  Process process(
      shell(
          "exec " + on_one_cpu +
          "sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; printf x >&4'"),
      Process::Pipes::kTalking);
  char reply[1];
  std::size_t received = 0;
  const Seconds limit{1};
  const double seconds = seconds_of(
      [&] { EXPECT_EQ(process.exchange("", reply, 1, limit, &received), Process::Event::kDone); });
  if (seconds < limit.count()) GTEST_SKIP() << "this machine is too fast to show it";
}

TEST(Process, TimesOutOnAChildThatComputesForEver) {
  Process process(shell("while :; do :; done"), Process::Pipes::kTalking);
  char reply[1];
  std::size_t received = 0;
  EXPECT_EQ(process.exchange("", reply, 1, Seconds{0.2}, &received), Process::Event::kTimedOut);
}

TEST(Process, TimesOutOnATrickle) {
  Process process(shell("while :; do printf x >&4; sleep 0.01; done"), Process::Pipes::kTalking);
  std::string reply(1'000'000, '\0');
  std::size_t received = 0;
  EXPECT_EQ(
      process.exchange("", reply.data(), reply.size(), Seconds{0.3}, &received),
      Process::Event::kTimedOut);
  EXPECT_GT(received, 0u);
}

TEST(Process, NoticesAnEarlyEnd) {
  Process process(shell("printf abc >&4; exit 3"), Process::Pipes::kTalking);
  char reply[10];
  std::size_t received = 0;
  EXPECT_EQ(process.exchange("", reply, 10, Seconds{5}, &received), Process::Event::kEnded);
  EXPECT_EQ(received, 3u);
  process.kill_group();
  EXPECT_EQ(process.ending(), "exited with status 3");
}

TEST(Process, NamesTheSignal) {
  Process process(shell("kill -SEGV $$"), Process::Pipes::kNone);
  std::size_t unexpected = 0;
  process.finish(Seconds{5}, &unexpected);
  EXPECT_EQ(process.ending(), "was killed by signal 11 (Segmentation fault)");
  EXPECT_FALSE(process.exited_with(0));
}

TEST(Process, KillsGrandchildrenToo) {
  pid_t grandchild = 0;
  {
    Process process(shell("sleep 60 & echo $! >&4; wait"), Process::Pipes::kTalking);
    char reply[2];
    std::size_t received = 0;
    process.exchange("", reply, 2, Seconds{5}, &received);
    std::string digits(reply, 2);
    char next;
    while (process.exchange("", &next, 1, Seconds{5}, &received) == Process::Event::kDone &&
           next != '\n')
      digits += next;
    grandchild = std::stoi(digits);
    EXPECT_EQ(kill(grandchild, 0), 0);
  }
  // Gone, or a zombie that init has not collected yet.
  for (int tries = 0; tries < 100 && kill(grandchild, 0) == 0; ++tries) {
    const std::string stat = "/proc/" + std::to_string(grandchild) + "/stat";
    FILE* const file = std::fopen(stat.c_str(), "r");
    char state = '?';
    if (file != nullptr) {
      if (std::fscanf(file, "%*d %*s %c", &state) != 1) state = '?';
      std::fclose(file);
    }
    if (state == 'Z') break;
    ASSERT_LT(tries, 99) << "still alive";
    usleep(10'000);
  }
}

TEST(Process, AFloodOfOutputNeitherBlocksNorFillsMemory) {
  Process process(shell("head -c 50000000 /dev/zero; printf done >&4"), Process::Pipes::kTalking);
  char reply[4];
  std::size_t received = 0;
  EXPECT_EQ(process.exchange("", reply, 4, Seconds{20}, &received), Process::Event::kDone);
  EXPECT_LE(process.output().size(), 100'000u);
}

TEST(Process, CountsWhatNobodyAskedFor) {
  Process process(shell("read line <&3; printf extra >&4"), Process::Pipes::kTalking);
  std::size_t unexpected = 0;
  process.finish(Seconds{5}, &unexpected);
  EXPECT_EQ(unexpected, 5u);
}

TEST(Process, AMissingProgramIsAnInternalError) {
  EXPECT_THROW(Process({"/nonexistent/program"}, Process::Pipes::kNone), InternalError);
}

}  // namespace
}  // namespace judge
