// The graders on solutions with one mistake that the checked build can name: the first check that fails says which
// lines are at fault. A mistake of another sort gets no such words.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "judge/compile.h"
#include "judge/process.h"
#include "judge/text.h"

namespace judge {
namespace {

constexpr char kBarrier[] = "__syncthreads();";
constexpr char kLoad[] = "tile_smem[n] = ";  // the line that fills a tile

struct Mutant {
  const char* lesson;
  const char* removed;      // this text of the solution,
  int which;                // as often as it comes before,
  const char* replacement;  // becomes this one
  const char* check;        // fails, with
  const char* kind;
  std::vector<std::string> found;  // and finds this, the first word being the checked build's
  std::vector<std::string> lines;  // on the lines that hold these texts
};

void PrintTo(const Mutant& mutant, std::ostream* stream) {
  *stream << mutant.lesson << " without " << mutant.removed << " " << mutant.which;
}

class MutantOfSolution : public ::testing::TestWithParam<Mutant> {};

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The n-th place of a text.
std::size_t find_nth(const std::string& text, const std::string& part, int n) {
  std::size_t at = text.find(part);
  while (n-- > 0 && at != std::string::npos) at = text.find(part, at + 1);
  return at;
}

// What the report has under this key for the first check that failed.
std::string first_failed(const std::string& report, const std::string& key) {
  const std::string start = "\"" + key + "\": \"";
  const std::size_t from = report.find(start, report.find("\"verdict\": \"FAIL\"")) + start.size();
  return report.substr(from, report.find("\",\n", from) - from);
}

TEST_P(MutantOfSolution, SaysWhatIsFound) {
  const Mutant& mutant = GetParam();
  const std::string name = std::string(mutant.lesson) + ".cu";
  std::string text = whole_file(std::string(JUDGE_SOLUTIONS) + "/" + name);
  const std::size_t at = find_nth(text, mutant.removed, mutant.which);
  ASSERT_NE(at, std::string::npos) << "the solution has changed";
  text.replace(at, std::string(mutant.removed).size(), mutant.replacement);

  const TemporaryDirectory directory;
  const std::string source = directory.path() + "/" + name;
  const std::string report = directory.path() + "/report.json";
  std::ofstream(source) << text;
  Process process(
      {std::string(JUDGE_BIN) + "/" + mutant.lesson + "_test", "--source", source, "--check",
       mutant.check, "--gtest_output=json:" + report},
      Process::Pipes::kNone);
  std::size_t unexpected = 0;
  ASSERT_EQ(process.finish(Seconds{120}, &unexpected), Process::Event::kDone);

  EXPECT_NE(
      process.output().find(format("FAIL            %-16s %s: ", mutant.check, mutant.kind)),
      std::string::npos)
      << process.output();

  const std::string said = whole_file(report);
  const std::string found = first_failed(said, "found"), message = first_failed(said, "message");
  EXPECT_EQ(found.empty(), mutant.found.empty()) << found;
  EXPECT_EQ(message.find("\\nfound:      ") == std::string::npos, found.empty()) << message;
  for (const std::string& words : mutant.found)
    EXPECT_NE(found.find(words), std::string::npos) << found;
  for (const std::string& line : mutant.lines) {
    const std::size_t place = text.find(line);
    ASSERT_NE(place, std::string::npos) << "the solution has changed: " << line;
    const auto number = 1 + std::count(text.begin(), text.begin() + place, '\n');
    const std::string where = name + ":" + std::to_string(number);
    EXPECT_TRUE(
        found.find(where + ",") != std::string::npos ||
        found.find(where + " ") != std::string::npos)
        << where << " in " << found;
  }
}

constexpr char kDotOfTiled[] = "s_reg[c] += q_reg[k] * tile_smem";
constexpr char kSumOfTiled[] = "o_reg[k] += p_reg[c] * tile_smem";
constexpr char kDotOfOnline[] = "s_reg[c] += q_reg[k] * K_smem";

INSTANTIATE_TEST_SUITE_P(
    Barriers, MutantOfSolution,
    ::testing::Values(
        Mutant{
            "02_tiled",
            kBarrier,
            0,
            "",
            "many_tiles",
            "wrong values",
            {"shared-race: ", "read and write", "`tile_smem'"},
            {kLoad, kDotOfTiled}},
        Mutant{
            "02_tiled",
            kBarrier,
            1,
            "",
            "one_tile",
            "not finite",
            {"shared-race: ", "read and write", "`tile_smem'"},
            {kLoad, kDotOfTiled}},
        Mutant{
            "02_tiled",
            kBarrier,
            2,
            "",
            "one_tile",
            "wrong values",
            {"shared-race: "},
            {kLoad, kDotOfTiled}},
        Mutant{
            "02_tiled",
            kBarrier,
            3,
            "",
            "one_tile",
            "wrong values",
            {"shared-race: "},
            {kLoad, kSumOfTiled}},
        Mutant{
            "03_online_softmax",
            kBarrier,
            0,
            "",
            "many_tiles",
            "wrong values",
            {"shared-race: ", "`K_smem'"},
            {kLoad, kDotOfOnline}}));

INSTANTIATE_TEST_SUITE_P(
    Accesses, MutantOfSolution,
    ::testing::Values(
        Mutant{
            "02_tiled",
            "tile_smem[n] = j0 * d + n < N_k * d ?",
            0,
            "if (j0 * d + n < N_k * d) tile_smem[n] = true ?",
            "one_tile",
            "not finite",
            {"uninitialised-shared: ", "`tile_smem'"},
            {kDotOfTiled}},
        Mutant{
            "04_vectorized_io",
            "j0 * d + n < N_k * d ?",
            0,
            "true ?",
            "one_tile",
            "not finite",
            {"global-out-of-bounds: ", "read of 16 bytes"},
            {kLoad}}));

INSTANTIATE_TEST_SUITE_P(
    Formulas, MutantOfSolution,
    ::testing::Values(
        Mutant{
            "02_tiled",
            "softmax_scale * s_reg[c]",
            0,
            "s_reg[c]",
            "one_tile",
            "wrong values",
            {},
            {}},
        Mutant{"03_online_softmax", "l *= rescale;", 0, "", "many_tiles", "wrong values", {}, {}}));

// The search comes to nothing if the process ends in it, and the failure is reported all the same.
constexpr char kRows[] = "const size_t rows = heads * N_q;";
constexpr char kEndsWhenChecked[] =
    "const size_t rows = heads * N_q; softmax_scale *= 1.5f; if (getenv(\"CPU_DEVICE_FINDINGS\")) "
    "exit(0);";

INSTANTIATE_TEST_SUITE_P(
    FailedSearch, MutantOfSolution,
    ::testing::Values(Mutant{
        "02_tiled", kRows, 0, kEndsWhenChecked, "one_tile", "wrong values", {}, {}}));

}  // namespace
}  // namespace judge
