// The graders of the lessons on kernels with one planted mistake, from the source to the verdict: the check that is
// meant fails, with the kind that is meant, and nothing that it needs does. Odd kernels that are right pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "judge/compile.h"
#include "judge/process.h"

namespace judge {
namespace {

struct Planted {
  const char* lesson;
  const char* check;
  const char* switches;  // "SCALAR", "Br 16, ONE_BLOCK", or "" for none
  const char* says;      // "PASS", or the kind of failure; kinds with " | " between them
};

void PrintTo(const Planted& planted, std::ostream* stream) {
  *stream << planted.lesson << " " << planted.check << " " << planted.switches;
}

class PlantedKernel : public ::testing::TestWithParam<Planted> {};

// "a | b" as {"a", "b"}.
std::vector<std::string> alternatives(const std::string& text) {
  const std::string bar = " | ";
  std::vector<std::string> list;
  std::size_t at = 0, end;
  for (; (end = text.find(bar, at)) != std::string::npos; at = end + bar.size())
    list.push_back(text.substr(at, end - at));
  list.push_back(text.substr(at));
  return list;
}

// What the lesson's test prints about a planted kernel.
std::string grade(const Planted& planted) {
  const TemporaryDirectory directory;
  const std::string source = directory.path() + "/kernel.cu";
  std::string text, word, list = planted.switches;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(", ", at), list.size());
    word = list.substr(at, end - at);
    text += "#define PLANTED_" + word + (word.find(' ') == std::string::npos ? " 1\n" : "\n");
    at = end + 2;
  }
  const bool partitioned = std::string(planted.lesson) == "07_work_partitioning";
  std::ofstream(source) << text << "#include \"" << JUDGE_PLANTED
                        << (partitioned ? "/partitioned.cu" : "/attention.cu") << "\"\n";
  Process process(
      {std::string(JUDGE_BIN) + "/" + planted.lesson + "_test", "--source", source, "--check",
       planted.check},
      Process::Pipes::kNone);
  std::size_t unexpected = 0;
  EXPECT_EQ(process.finish(Seconds{120}, &unexpected), Process::Event::kDone);
  return process.output();
}

TEST_P(PlantedKernel, GetsTheRightVerdict) {
  const Planted& planted = GetParam();
  const std::string output = grade(planted);
  // "FAIL            traffic          traffic: N_q=500 ..."
  std::string line;
  bool others_pass = true;
  std::istringstream lines(output);
  std::getline(lines, line);  // the lesson and its seed
  std::string about;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string verdict, check;
    words >> verdict >> check;
    if (check == planted.check)
      about = line;
    else
      others_pass = others_pass && verdict == "PASS";
  }
  EXPECT_TRUE(others_pass) << output;
  const bool pass = std::string(planted.says) == "PASS";
  EXPECT_EQ(about.substr(0, 4), pass ? "PASS" : "FAIL") << output;
  if (pass) return;
  bool said = false;
  for (const std::string& kind : alternatives(planted.says))
    said = said || about.find(" " + kind + ": ") != std::string::npos;
  EXPECT_TRUE(said) << "not " << planted.says << ":\n" << output;
}

INSTANTIATE_TEST_SUITE_P(
    Lesson02, PlantedKernel,
    ::testing::Values(
        Planted{"02_tiled", "traffic", "", "PASS"},
        Planted{"02_tiled", "traffic", "NO_TILES", "traffic"},
        Planted{"02_tiled", "traffic", "Br 8", "traffic"},
        Planted{"02_tiled", "traffic", "Br 16, ONE_BLOCK", "PASS"},
        Planted{"02_tiled", "traffic", "Br 128, TWO_PASSES", "PASS"},
        Planted{"02_tiled", "traffic", "COPIES", "traffic"},
        Planted{"02_tiled", "traffic", "NO_TILES, STOPS_COUNTING", "traffic"}));

INSTANTIATE_TEST_SUITE_P(
    Lesson03, PlantedKernel,
    ::testing::Values(
        Planted{"03_online_softmax", "one_pass", "ONE_BLOCK", "PASS"},
        Planted{"03_online_softmax", "one_pass", "NO_TILES", "traffic"},
        Planted{"03_online_softmax", "one_pass", "TWO_PASSES", "traffic"},
        Planted{"03_online_softmax", "memory", "", "PASS"},
        Planted{"03_online_softmax", "memory", "COPIES", "PASS"},
        Planted{"03_online_softmax", "memory", "SCORES", "memory"},
        Planted{"03_online_softmax", "rising", "", "PASS"},
        Planted{"03_online_softmax", "rising", "NOT_RESCALED", "wrong values"},
        Planted{"03_online_softmax", "large_index", "", "PASS"},
        // What lies where an index that wrapped around points to is the system's choice.
        Planted{"03_online_softmax", "large_index", "INT_ROWS", "out of bounds | wrong values"},
        Planted{"03_online_softmax", "large_index", "INT_KEYS", "out of bounds | wrong values"},
        Planted{"03_online_softmax", "lse", "", "PASS"},
        Planted{"03_online_softmax", "lse", "NO_LSE", "never written"},
        Planted{"03_online_softmax", "lse", "LSE_BASE_TWO", "wrong values"},
        Planted{"03_online_softmax", "lse", "LSE_WITHOUT_HEAD", "never written"},
        Planted{"03_online_softmax", "lse", "LSE_ZERO", "wrong values"},
        Planted{"03_online_softmax", "contract", "LSE_THROUGH_NULL", "out of bounds"}));

INSTANTIATE_TEST_SUITE_P(
    Lesson04, PlantedKernel,
    ::testing::Values(
        Planted{"04_vectorized_io", "access_width", "", "PASS"},
        Planted{"04_vectorized_io", "access_width", "SCALAR", "access width"},
        Planted{"04_vectorized_io", "scalar_path", "", "PASS"},
        Planted{"04_vectorized_io", "scalar_path", "ALIGNMENT_OF_Q", "misaligned"},
        Planted{"04_vectorized_io", "safety", "READS_PAST_END", "out of bounds"},
        Planted{"04_vectorized_io", "safety", "READS_BEFORE_START", "out of bounds"}));

INSTANTIATE_TEST_SUITE_P(
    Lesson05, PlantedKernel,
    ::testing::Values(
        Planted{"05_causal", "causal", "NO_CAUSAL", "not supported"},
        Planted{"05_causal", "causal", "MASK_TOP_LEFT", "wrong values"},
        Planted{"05_causal", "causal", "SKIPS_THE_DIAGONAL", "wrong values"},
        Planted{"05_causal", "rows_without_keys", "", "PASS"},
        Planted{"05_causal", "rows_without_keys", "EMPTY_ROW_IS_NAN", "not finite"},
        Planted{"05_causal", "prefix", "", "PASS"},
        Planted{"05_causal", "prefix", "LEAKS", "wrong values"},
        Planted{"05_causal", "skipped_tiles", "", "PASS"},
        Planted{"05_causal", "skipped_tiles", "Br 128, ONE_BLOCK", "PASS"},
        Planted{"05_causal", "skipped_tiles", "SKIPS_NOTHING", "traffic"}));

INSTANTIATE_TEST_SUITE_P(
    Lesson07, PlantedKernel,
    ::testing::Values(
        Planted{"07_work_partitioning", "work_partitioning", "", "PASS"},
        Planted{"07_work_partitioning", "work_partitioning", "NO_GROUPS", "PASS"},
        Planted{"07_work_partitioning", "work_partitioning", "SEVEN_BLOCKS", "work partitioning"},
        Planted{"07_work_partitioning", "work_partitioning", "BLOCK_BARRIERS", "work partitioning"},
        Planted{
            "07_work_partitioning", "work_partitioning", "EXPONENTIALS_TWICE", "work partitioning"},
        Planted{
            "07_work_partitioning", "work_partitioning", "O_IN_SHARED_MEMORY", "work partitioning"},
        Planted{"07_work_partitioning", "work_partitioning", "Bc 8", "work partitioning"},
        Planted{"07_work_partitioning", "grouped_heads", "NO_GROUPS", "not supported"},
        Planted{"07_work_partitioning", "grouped_heads", "GROUPS_MODULO", "wrong values"},
        Planted{"07_work_partitioning", "many_tiles", "OUTPUT_IN_ORDER", "wrong values"},
        Planted{"07_work_partitioning", "access_width", "SCALAR", "access width"},
        Planted{"07_work_partitioning", "skipped_tiles", "SKIPS_NOTHING", "traffic"}));

}  // namespace
}  // namespace judge
