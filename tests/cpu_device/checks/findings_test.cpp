// The comparison of findings with expectations: it must notice what is missing, what is too much
// and what stands at a wrong line.
#include "findings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace {

using Rule = Expectation::Rule;

Finding finding(
    const std::string& severity, const std::string& kind, const std::string& place,
    const std::string& other = "-") {
  return Finding{severity, kind, place, other, severity + " " + kind + " " + place + " " + other};
}

const Expectation kRace{Rule::kMust, "error", "shared-race", {"a.cu:5", "a.cu:7"}};

TEST(Mismatches, NoneWhereAllIsAsExpected) {
  EXPECT_TRUE(mismatches({}, {}).empty());
  EXPECT_TRUE(mismatches({finding("error", "shared-race", "a.cu:7", "a.cu:5")}, {kRace}).empty());
  EXPECT_TRUE(mismatches({finding("error", "shared-race", "a.cu:5", "a.cu:7")}, {kRace}).empty());
}

TEST(Mismatches, MissingFinding) {
  EXPECT_EQ(mismatches({}, {kRace}).size(), 1u);
  EXPECT_EQ(mismatches({finding("note", "shared-race", "a.cu:5", "a.cu:7")}, {kRace}).size(), 1u);
}

TEST(Mismatches, WrongPlaceIsMissingAndTooMuch) {
  EXPECT_EQ(mismatches({finding("error", "shared-race", "a.cu:5", "a.cu:6")}, {kRace}).size(), 2u);
  EXPECT_EQ(mismatches({finding("error", "shared-race", "a.cu:5", "b.cu:7")}, {kRace}).size(), 2u);
}

TEST(Mismatches, FurtherErrorsCountAndWarningsDoNot) {
  const Finding race = finding("error", "shared-race", "a.cu:5", "a.cu:7");
  EXPECT_EQ(mismatches({race, finding("error", "leak", "a.cu:9")}, {kRace}).size(), 1u);
  EXPECT_TRUE(mismatches({race, finding("warning", "early-return", "a.cu:9")}, {kRace}).empty());
}

TEST(Mismatches, AllowedErrorsMayComeOrNot) {
  const Expectation allowed{Rule::kMay, "error", "leak", {"a.cu:9"}};
  EXPECT_TRUE(mismatches({}, {allowed}).empty());
  EXPECT_TRUE(mismatches({finding("error", "leak", "a.cu:9")}, {allowed}).empty());
  EXPECT_EQ(mismatches({finding("error", "leak", "a.cu:8")}, {allowed}).size(), 1u);
}

TEST(Mismatches, ForbiddenClassOfAnySeverity) {
  const Expectation forbidden{Rule::kMustNot, "", "shared-race", {}};
  EXPECT_TRUE(mismatches({finding("note", "global-race", "a.cu:1")}, {forbidden}).empty());
  EXPECT_EQ(mismatches({finding("note", "shared-race", "a.cu:1")}, {forbidden}).size(), 1u);
  EXPECT_EQ(mismatches({finding("error", "shared-race", "a.cu:1")}, {forbidden}).size(), 2u);
}

TEST(Mismatches, DeadlockMayBeReportedAtAnyPlaceWhereThreadsWait) {
  const Expectation stuck{Rule::kMust, "error", "divergent-barrier", {"a.cu:5", "a.cu:7"}};
  for (const char* place : {"a.cu:5", "a.cu:7"}) {
    EXPECT_TRUE(mismatches({finding("error", "divergent-barrier", place)}, {stuck}).empty());
  }
  EXPECT_EQ(mismatches({finding("error", "divergent-barrier", "a.cu:6")}, {stuck}).size(), 2u);
}

class Files : public testing::Test {
 protected:
  Files() : folder_(std::filesystem::path(testing::TempDir()) / "findings_test") {
    std::filesystem::create_directories(folder_);
  }
  ~Files() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(Files, TagsOfSourceAndHeader) {
  write("part.cuh", "#pragma once\nint x;  // [B]\n");
  const std::string source = write(
      "program.cu",
      "// expect: error shared-race [A] [B]\n// allow: error leak [A]\n// expect-none: "
      "early-return\n"
      "#include \"part.cuh\"\nint y;  // [A]\n");
  const std::vector<Expectation> seen = read_expectations(source);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].rule, Rule::kMust);
  EXPECT_EQ(seen[0].severity, "error");
  EXPECT_EQ(seen[0].kind, "shared-race");
  EXPECT_EQ(seen[0].places, (std::vector<std::string>{"program.cu:5", "part.cuh:2"}));
  EXPECT_EQ(seen[1].rule, Rule::kMay);
  EXPECT_EQ(seen[2].rule, Rule::kMustNot);
  EXPECT_EQ(seen[2].kind, "early-return");
}

TEST_F(Files, MalformedExpectations) {
  EXPECT_THROW(
      read_expectations(write("tag.cu", "// expect: error leak [A]\n")), std::runtime_error);
  EXPECT_THROW(read_expectations(write("class.cu", "// expect: error\n")), std::runtime_error);
  EXPECT_THROW(
      read_expectations(write("twice.cu", "int x;  // [A]\nint y;  // [A]\n")), std::runtime_error);
}

TEST_F(Files, Findings) {
  const std::vector<Finding> seen = read_findings(write(
      "good", "error\tleak\ta.cu:3\t-\t2\tkernel\t(0,0,0)\t(0,0,0)\t64 bytes were not freed\n"));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].severity, "error");
  EXPECT_EQ(seen[0].kind, "leak");
  EXPECT_EQ(seen[0].place, "a.cu:3");
  EXPECT_EQ(seen[0].other, "-");
  EXPECT_THROW(read_findings(write("bad", "error leak a.cu:3\n")), std::runtime_error);
}

}  // namespace
