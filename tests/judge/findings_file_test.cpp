// Reading the list of findings that a checked run leaves.
#include "judge/findings_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "judge/verdict.h"

namespace {

using judge::FindingsFile;
using judge::parse_finding;

constexpr char kRace[] =
    "error\tglobal-race\ta.cu:12\ta.cu:10\t64\tk(float*)\t(1,0,0)\t(0,0,0)\ttwo threads write";

TEST(FindingsFile, ARaceNamesBothLinesAndTheThread) {
  const auto finding = parse_finding(kRace);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->kind, "race");
  EXPECT_EQ(finding->headline, "two threads write");
  EXPECT_EQ(
      finding->details, "at a.cu:12 and a.cu:10, 64 times\nfirst: thread (1,0,0) of block (0,0,0)");
  EXPECT_EQ(finding->slug, "global-race");
  EXPECT_EQ(finding->place, "at a.cu:12 and a.cu:10");
}

TEST(FindingsFile, WarningsNotesLeaksAndBrokenLinesAreNoErrors) {
  for (const char* const line :
       {"warning\tearly-return\ta.cu:1\t-\t1\tk\t(0,0,0)\t(0,0,0)\tm",
        "note\tshared-race\ta.cu:1\t-\t1\tk\t(0,0,0)\t(0,0,0)\tm",
        "error\tleak\ta.cu:1\t-\t1\t\t\t\tm", "", "error", "error\tglobal-race\ta.cu:1"}) {
    EXPECT_FALSE(parse_finding(line).has_value()) << line;
  }
}

TEST(FindingsFile, ARaceInsideAWarpIsAnError) {
  const auto finding =
      parse_finding("warning\tshared-race\ta.cu:1\t-\t1\tk\t(1,0,0)\t(0,0,0)\tlanes of one warp");
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->kind, "race");
}

TEST(FindingsFile, AMissingListIsOurFault) {
  const FindingsFile file("/nonexistent/findings");
  EXPECT_THROW(file.first_error(), judge::InternalError);
}

TEST(FindingsFile, TheVariableIsSetWhileItLives) {
  const std::string path = testing::TempDir() + "findings_file_test";
  {
    const FindingsFile file(path);
    EXPECT_STREQ(std::getenv("CPU_DEVICE_FINDINGS"), path.c_str());
    std::ofstream(path) << "note\tx\n" << kRace << "\n";
    EXPECT_TRUE(file.first_error().has_value());
  }
  EXPECT_EQ(std::getenv("CPU_DEVICE_FINDINGS"), nullptr);
  std::remove(path.c_str());
}

TEST(FindingsFile, AFailedLaunchIsAnErrorButNoCauseOfWrongValues) {
  const std::string path = testing::TempDir() + "findings_file_test";
  const FindingsFile file(path);
  std::ofstream(path) << "error\tlaunch-error\ta.cu:9\t-\t1\tk\t\t\tm\n";
  EXPECT_EQ(file.first_error()->slug, "launch-error");
  EXPECT_FALSE(file.first_cause().has_value());
  std::ofstream(path, std::ios::app) << kRace << "\n";
  EXPECT_EQ(file.first_cause()->slug, "global-race");
  std::remove(path.c_str());
}

}  // namespace
