// A check and the process that it asks.
#include "judge/check.h"

#include <gtest/gtest.h>

#include <sstream>

#include "build_paths.h"
#include "judge/compile.h"

namespace judge {
namespace {

class CheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    workshop_.device =
        "cuda";  // also where it is the CPU device: only a GPU's processes are shared
    workshop_.source = std::string(kSourceRoot) + "/solutions/01_naive.cu";
    workshop_.library = directory_.path() + "/library.so";
    workshop_.runner = kBuildRunner;
    std::istringstream compiler(kBuildCompiler);
    for (std::string word; std::getline(compiler, word, ';');) workshop_.compiler.push_back(word);
    compile(workshop_.compiler, workshop_.source, workshop_.library, Seconds{60});
  }

  // Makes a check of one case; false where no device answers.
  bool make_check() {
    Check check(workshop_, "one_tile");
    try {
      check.values({.N_q = 4, .N_k = 4, .d = 2});
    } catch (const NotRun&) {
      return false;
    }
    check.pass_on_runner();
    return true;
  }

  TemporaryDirectory directory_;
  Workshop workshop_;
};

TEST_F(CheckTest, HasAProcessOfItsOwn) {
  if (!make_check()) GTEST_SKIP() << "no GPU answers";
  EXPECT_EQ(workshop_.idle.runner, nullptr);
}

TEST_F(CheckTest, SharesItsProcessWithAsManyChecksAsItIsTold) {
  workshop_.checks_per_process = 3;
  if (!make_check()) GTEST_SKIP() << "no GPU answers";
  const Runner* const first = workshop_.idle.runner.get();
  ASSERT_NE(first, nullptr);
  make_check();
  EXPECT_EQ(workshop_.idle.runner.get(), first);
  make_check();
  EXPECT_EQ(workshop_.idle.runner, nullptr);
}

TEST_F(CheckTest, OnTheCpuDeviceNoProcessIsShared) {
  workshop_.device = "cpu";
  workshop_.checks_per_process = 3;
  if (!make_check()) GTEST_SKIP() << "no GPU answers";
  EXPECT_EQ(workshop_.idle.runner, nullptr);
}

TEST_F(CheckTest, AFailureKeepsItsProcessToItself) {
  workshop_.checks_per_process = 3;
  if (!make_check()) GTEST_SKIP() << "no GPU answers";
  {
    Check check(workshop_, "contract");
    EXPECT_THROW(
        check.refuses({.N_q = 4, .N_k = 4, .d = 2}, "a right problem", {kInvalidValue}), Failure);
  }
  EXPECT_EQ(workshop_.idle.runner, nullptr);
}

}  // namespace
}  // namespace judge
