#include "findings_file.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

constexpr char kVariable[] = "CPU_DEVICE_FINDINGS";

std::string kind_of(const std::string& slug) {
  if (slug.ends_with("-race")) return "race";
  if (slug.starts_with("uninitialised")) return "uninitialised read";
  if (slug == "launch-error") return "launch error";
  if (slug == "misaligned") return "misaligned";
  if (slug == "divergent-barrier" || slug == "missing-lanes" || slug == "warp-mask") return "hang";
  return "out of bounds";
}

}  // namespace

FindingsFile::FindingsFile(std::string path) : path_(std::move(path)) {
  std::remove(path_.c_str());
  setenv(kVariable, path_.c_str(), 1);
}

FindingsFile::~FindingsFile() { unsetenv(kVariable); }

std::optional<SafetyFinding> FindingsFile::first_error() const {
  std::ifstream file(path_);
  if (!file) throw InternalError("the checked run wrote no list of findings");
  for (std::string line; std::getline(file, line);) {
    if (auto finding = parse_finding(line)) return finding;
  }
  return std::nullopt;
}

std::optional<SafetyFinding> parse_finding(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(sanitised(field));
  if (fields.size() < 9 || fields[1] == "leak") return std::nullopt;
  const std::string& slug = fields[1];
  // The device only warns of a race inside a warp, as racecheck does; but lanes need not run in step.
  const bool warp_race = fields[0] == "warning" && slug.ends_with("-race");
  if (fields[0] != "error" && !warp_race) return std::nullopt;
  const bool pair = fields[3] != "-";
  return SafetyFinding{
      kind_of(slug), fields[8],
      "at " + fields[2] + (pair ? " and " + fields[3] : "") + ", " + fields[4] + " times" +
          (fields[6].empty() ? "" : "\nfirst: thread " + fields[6] + " of block " + fields[7])};
}

}  // namespace judge
