// A lesson's test as its users meet it: exit status, one clear line, nothing left behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "judge/compile.h"
#include "judge/process.h"
#include "judge/sha256.h"

namespace judge {
namespace {

class CommandLine : public ::testing::Test {
 protected:
  // Runs the lesson's test with these arguments, which a shell reads.
  void run(const std::string& arguments) { run_shell("exec " + test() + " " + arguments); }

  void run_shell(const std::string& script) {
    Process process(
        {"/bin/sh", "-c", "export TMPDIR=" + temporary_ + "; " + script}, Process::Pipes::kNone);
    std::size_t unexpected = 0;
    ASSERT_EQ(process.finish(Seconds{60}, &unexpected), Process::Event::kDone);
    output_ = process.output();
    ending_ = process.ending();
  }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  static std::string test() { return JUDGE_LESSON_TEST; }

  bool says(const std::string& text) const { return output_.find(text) != std::string::npos; }

  // Nothing but the directory itself is left of the temporary files.
  bool clean() const { return std::filesystem::is_empty(temporary_); }

  void SetUp() override { std::filesystem::create_directory(temporary_); }

  TemporaryDirectory directory_;
  std::string temporary_ = directory_.path() + "/tmp";
  std::string output_, ending_;
};

TEST_F(CommandLine, UsageErrorsAreOneLineAndStatus2) {
  for (const char* arguments :
       {"", "--source", "--source x --seed z", "--source x --device tpu", "--source x --check none",
        "--source x --what", "--source x --gtest_output=json:/nonexistent/report.json"}) {
    run(arguments);
    EXPECT_EQ(ending_, "exited with status 2") << arguments;
    EXPECT_EQ(std::count(output_.begin(), output_.end(), '\n'), 1) << output_;
    EXPECT_EQ(output_.find("01_naive_test: "), 0u) << output_;
  }
}

TEST_F(CommandLine, HelpIsStatus0) {
  run("--help");
  EXPECT_EQ(ending_, "exited with status 0");
  EXPECT_TRUE(says("usage: 01_naive_test --source FILE"));
}

TEST_F(CommandLine, AMissingFileIsAFailureWithOneClearLine) {
  run("--source /nonexistent/x.cu --check compiles");
  EXPECT_EQ(ending_, "exited with status 1");
  EXPECT_TRUE(
      says("FAIL            compiles         compile error: /nonexistent/x.cu does not exist"));
}

TEST_F(CommandLine, ALibraryWithoutTheEntryPointIsAFailure) {
  run("--source " + write("other.cu", "int other() { return 0; }\n"));
  EXPECT_EQ(ending_, "exited with status 1");
  EXPECT_TRUE(says("the library has no function attention_forward"));
  EXPECT_TRUE(says("NOT RUN         repeatable"));
  EXPECT_TRUE(clean());
}

TEST_F(CommandLine, AnUndefinedFunctionIsAFailure) {
  run("--check compiles --source " +
      write(
          "calls.cu", "int other();\nextern \"C\" int attention_forward() { return other(); }\n"));
  EXPECT_EQ(ending_, "exited with status 1");
  EXPECT_TRUE(says("compile error")) << output_;
}

TEST_F(CommandLine, TheUntouchedStubIsNotStartedAndCompiles) {
  const std::string text = "extern \"C\" int attention_forward() { return 0; }\n";
  const std::string stub = write("stub.cu", text);
  run("--source " + stub + " --stub-sha256 " + sha256(text));
  EXPECT_EQ(ending_, "exited with status 1");
  EXPECT_TRUE(says("NOT STARTED     compiles"));
  EXPECT_TRUE(says("NOT STARTED     repeatable"));
  EXPECT_FALSE(says("FAIL"));
}

TEST_F(CommandLine, AStubThatDoesNotCompileIsOurFault) {
  const std::string text = "this is no C++\n";
  run("--source " + write("stub.cu", text) + " --stub-sha256 " + sha256(text));
  EXPECT_EQ(ending_, "exited with status 3");
  EXPECT_TRUE(says("INTERNAL ERROR  compiles"));
}

TEST_F(CommandLine, ACheckBringsItsPrerequisitesAndNoMore) {
  run("--check ragged --source " + write("other.cu", "int other() { return 0; }\n"));
  EXPECT_TRUE(says("compiles"));
  EXPECT_TRUE(says("one_tile"));
  EXPECT_TRUE(says("ragged"));
  EXPECT_FALSE(says("many_tiles"));
  EXPECT_FALSE(says("contract"));
}

TEST_F(CommandLine, AnUnwritableTemporaryDirectoryIsAnInternalError) {
  run_shell("export TMPDIR=/nonexistent; exec " + test() + " --source x.cu");
  EXPECT_EQ(ending_, "exited with status 3");
  EXPECT_TRUE(says("cannot make a temporary directory"));
}

TEST_F(CommandLine, AnInterruptLeavesNoFilesNoProcessAndNoReport) {
  const std::string source = write(
      "slow.cu", "static int forever = [] { for (;;) { asm volatile(\"\"); } return 0; }();\n");
  const std::string report = directory_.path() + "/report.json";
  run_shell(
      test() + " --source " + source + " --gtest_output=json:" + report +
      " & judge=$!\n"
      "while [ -z \"$(ls $TMPDIR/judge-*/*.so 2>/dev/null)\" ]; do sleep 0.05; done\n"
      "sleep 0.3; kill -TERM $judge; wait $judge; exit $?\n");
  EXPECT_EQ(ending_, "exited with status 143") << output_;
  EXPECT_TRUE(clean());
  EXPECT_FALSE(std::filesystem::exists(report));
}

}  // namespace
}  // namespace judge
