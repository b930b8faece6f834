#include "findings_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

constexpr char kVariable[] = "CPU_DEVICE_FINDINGS";

}  // namespace

std::string kind_of_finding(const std::string& slug) {
  if (slug.ends_with("-race")) return "race";
  if (slug.starts_with("uninitialised")) return "uninitialised read";
  if (slug == "launch-error") return "launch error";
  if (slug == "misaligned") return "misaligned";
  if (slug == "divergent-barrier" || slug == "missing-lanes" || slug == "warp-mask") return "hang";
  return "out of bounds";
}

FindingsFile::FindingsFile(std::string path) : path_(std::move(path)) {
  std::remove(path_.c_str());
  setenv(kVariable, path_.c_str(), 1);
}

FindingsFile::~FindingsFile() { unsetenv(kVariable); }

std::vector<SafetyFinding> FindingsFile::errors() const {
  std::ifstream file(path_);
  if (!file) throw InternalError("the checked run wrote no list of findings");
  std::vector<SafetyFinding> errors;
  for (std::string line; std::getline(file, line);)
    if (auto finding = parse_finding(line)) errors.push_back(std::move(*finding));
  return errors;
}

std::optional<SafetyFinding> FindingsFile::first_error() const {
  const std::vector<SafetyFinding> all = errors();
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::optional<SafetyFinding> FindingsFile::first_cause() const {
  const std::vector<SafetyFinding> all = errors();
  const auto first = std::find_if(all.begin(), all.end(), [](const SafetyFinding& finding) {
    return finding.slug != "launch-error";
  });
  return first == all.end() ? std::nullopt : std::optional(*first);
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
  const std::string place = "at " + fields[2] + (fields[3] != "-" ? " and " + fields[3] : "");
  const std::string first =
      fields[6].empty() ? "" : "\nfirst: thread " + fields[6] + " of block " + fields[7];
  return SafetyFinding{
      kind_of_finding(slug), fields[8], place + ", " + fields[4] + " times" + first, slug, place};
}

}  // namespace judge
