// The tools of compute-sanitizer in front of the runner. Most tests have a script stand in for the tool, so that they
// run on any device; the last one asks the real tools where there are some.
#include "judge/sanitizer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "build_paths.h"
#include "judge/check.h"
#include "judge/compile.h"
#include "judge/runner_client.h"

namespace judge {
namespace {

constexpr char kClean[] = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n";

std::string report_at(const std::string& place) {
  return "========= COMPUTE-SANITIZER\n========= Invalid __global__ write of size 4 bytes\n"
         "=========     at k(float *)+0x60 in /somewhere/" +
         place +
         "\n=========     by thread (1,0,0) in block (0,0,0)\n"
         "=========     Access at 0x7f71b9e01364 is out of bounds\n========= ERROR SUMMARY: 1 "
         "error\n";
}

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ';');) words.push_back(word);
  return words;
}

class SanitizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("COURSE_SHARED_DIR");
    workshop_.device =
        "cuda";  // also where it is the CPU device: which check is made depends on it
    workshop_.source = std::string(kSourceRoot) + "/solutions/01_naive.cu";
    workshop_.library = path("library.so");
    workshop_.runner = kBuildRunner;
    workshop_.compiler = words_of(kBuildCompiler);
    workshop_.sanitizer = path("tool");
    workshop_.directory = directory_.path();
    for (const Tool tool : kTools) {
      says(tool, "libunsafe.so", report_at("unsafe.cu:12"));
      says(tool, "library.so", kClean);
    }
    make_tool("exec \"$@\"");
  }

  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }

  // What a tool has to say about a library.
  void says(Tool tool, const std::string& library, const std::string& log) const {
    write(std::string(tool_name(tool)) + "." + library, log);
  }

  // A tool that writes its log and then does this with the runner's command.
  void make_tool(const std::string& end, const std::string& help = "") const {
    const std::string start = "#!/bin/bash\n[ \"$1\" = --help ] && echo \"" + help + R"sh(" && exit
here=$(dirname "$0")
while [ "${1#--}" != "$1" ]; do
  [ "$1" = --tool ] && tool=$2
  [ "$1" = --log-file ] && log=$2
  [ "$1" = --initcheck-address-space ] && space=$2
  shift 2
done
cat "$here/$tool.$(basename "$2")" >"$log"
echo "$tool" >>"$here/calls"
)sh";
    write("tool", start + end + "\n");
    chmod(path("tool").c_str(), 0755);
  }

  // The verdict of the check on a case: a Failure's kind, "NOT RUN: reason" or "" for a pass.
  std::string verdict() {
    if (!compiled_) compile(workshop_.compiler, workshop_.source, workshop_.library, Seconds{60});
    compiled_ = true;
    Check check(workshop_, "safety");
    try {
      check.is_safe({{.N_q = 8, .N_k = 8, .d = 4}, {.heads = 2, .N_q = 5, .N_k = 6, .d = 3}});
    } catch (const Failure& failure) {
      details_ = failure.headline + "\n" + failure.details;
      return failure.kind;
    } catch (const NotRun& reason) {
      return "NOT RUN: " + reason.reason;
    }
    details_ = check.notes();
    return "";
  }

  TemporaryDirectory directory_;
  Workshop workshop_;
  std::string details_;
  bool compiled_ = false;
};

// Where no device answers, every case is NOT RUN for that reason.
#define EXPECT_VERDICT(expected)                                                     \
  do {                                                                               \
    const std::string found = verdict();                                             \
    if (found.find("no GPU answers") != std::string::npos) GTEST_SKIP() << found;    \
    EXPECT_EQ(found.substr(0, sizeof(expected) - 1), expected) << found << details_; \
    EXPECT_EQ(found.empty(), sizeof(expected) == 1) << found;                        \
  } while (false)

TEST_F(SanitizerTest, NothingFoundByToolsThatWorkIsAPassAndSaysWhatWasNotLookedFor) {
  EXPECT_VERDICT("");
  EXPECT_NE(details_.find("races in global memory or reads of shared"), std::string::npos)
      << details_;
}

TEST_F(SanitizerTest, AnInitcheckThatCanLookAtSharedMemoryIsAskedTo) {
  make_tool("echo \"$tool $space\" >>\"$here/spaces\"\nexec \"$@\"", "--initcheck-address-space");
  EXPECT_VERDICT("");
  EXPECT_EQ(details_.find("shared memory"), std::string::npos) << details_;
  std::ifstream spaces(path("spaces"));
  int count = 0;
  for (std::string line; std::getline(spaces, line);) count += line == "initcheck all" ? 1 : 0;
  EXPECT_EQ(count, 2);  // on the planted mistake, and on the library
}

TEST_F(SanitizerTest, AFindingIsAFailureWithItsLine) {
  says(Tool::kInitcheck, "library.so", report_at("01_naive.cu:40"));
  EXPECT_VERDICT("out of bounds");
  EXPECT_NE(details_.find("at 01_naive.cu:40"), std::string::npos) << details_;
  EXPECT_NE(details_.find("compute-sanitizer's initcheck"), std::string::npos) << details_;
}

TEST_F(SanitizerTest, AToolThatDoesNotFindItsPlantedMistakeIsNotBelieved) {
  says(Tool::kRacecheck, "libunsafe.so", kClean);
  EXPECT_VERDICT("NOT RUN: compute-sanitizer's racecheck: it does not find a planted mistake");
  says(Tool::kRacecheck, "library.so", report_at("01_naive.cu:40"));
  EXPECT_VERDICT("NOT RUN: compute-sanitizer's racecheck");
  // The others are: their findings count.
  says(Tool::kMemcheck, "library.so", report_at("01_naive.cu:40"));
  EXPECT_VERDICT("out of bounds");
}

TEST_F(SanitizerTest, AToolThatIsMissingIsNoFaultOfTheKernel) {
  workshop_.sanitizer = path("no-such-tool");
  EXPECT_VERDICT("NOT RUN: compute-sanitizer cannot be used: cannot run");
}

TEST_F(SanitizerTest, ADeviceThatIsNotSupportedIsNoFaultOfTheKernel) {
  for (const Tool tool : kTools)
    says(
        tool, "libunsafe.so",
        "========= COMPUTE-SANITIZER\n========= Error: Device not supported.\n");
  EXPECT_VERDICT("NOT RUN: compute-sanitizer's memcheck: it said: Error: Device not supported.");
}

TEST_F(SanitizerTest, AnEndWithoutASummaryIsNoPass) {
  says(Tool::kSynccheck, "library.so", "========= COMPUTE-SANITIZER\n");
  EXPECT_VERDICT(
      "NOT RUN: compute-sanitizer's synccheck: it exited with status 0 without a summary");
}

TEST_F(SanitizerTest, AnswersThatAreMissingAreNoPass) {
  make_tool("[[ $2 == */library.so ]] || exec \"$@\"");
  EXPECT_VERDICT("NOT RUN: compute-sanitizer's memcheck: the runner did not start");
  make_tool("\"$@\"\n[[ $2 == */library.so ]] && truncate -s -8 \"$4\"\ntrue");
  EXPECT_VERDICT("NOT RUN: compute-sanitizer's memcheck: the process ended in case 2 of 2");
}

TEST_F(SanitizerTest, TheStudentsOutputIsNotTheLog) {
  make_tool("echo '" + report_at("01_naive.cu:40") + "'\nexec \"$@\"");
  EXPECT_VERDICT("");
}

TEST_F(SanitizerTest, JudgesOfOneGradingShareTheProof) {
  TemporaryDirectory shared;
  setenv("COURSE_SHARED_DIR", shared.path().c_str(), 1);
  EXPECT_VERDICT("");
  EXPECT_VERDICT("");
  unsetenv("COURSE_SHARED_DIR");
  std::ifstream calls(path("calls"));
  int count = 0;
  for (std::string line; std::getline(calls, line);) ++count;
  EXPECT_EQ(count, 4 + 4 + 4);  // one proof, two judgements
}

TEST_F(SanitizerTest, ACaseThatFailsWithoutToolsFailsUnlessTheToolsKnowMore) {
  workshop_.source = path("bad.cu");
  write("bad.cu", R"(#include "attention.h"
extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  return cudaErrorInvalidValue;
}
)");
  EXPECT_VERDICT("launch error");
  says(Tool::kMemcheck, "library.so", report_at("bad.cu:4"));
  EXPECT_VERDICT("out of bounds");
  workshop_.sanitizer = path("no-such-tool");
  EXPECT_VERDICT("launch error");
}

TEST_F(SanitizerTest, TheRealToolsFindTheirPlantedMistakes) {
  if (std::string(kBuildDevice) != "cuda") GTEST_SKIP() << "they need a GPU";
  if (std::system("command -v compute-sanitizer >/dev/null") != 0)
    GTEST_SKIP() << "compute-sanitizer is not here";
  workshop_.sanitizer = "compute-sanitizer";
  EXPECT_VERDICT("");
}

}  // namespace
}  // namespace judge
