// What the CPU device's checked mode writes down about a student's kernels.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace judge {

struct SafetyFinding {
  std::string kind;      // of the failure: "race", "out of bounds", "uninitialised read"
  std::string headline;  // the finding in one line
  std::string details;   // where
  std::string slug;      // of the checked mode: "shared-race"
  std::string place;     // the line, or both of them: "at a.cu:12 and a.cu:10"
};

// The kind of failure that a finding with this slug is.
std::string kind_of_finding(const std::string& slug);

// While it lives, processes that are started write their findings to the file.
class FindingsFile {
 public:
  explicit FindingsFile(std::string path);
  ~FindingsFile();
  FindingsFile(const FindingsFile&) = delete;
  FindingsFile& operator=(const FindingsFile&) = delete;

  // The first error of the list that is the kernels' own; leaks are the memory check's business.
  // Throws InternalError if there is no list.
  std::optional<SafetyFinding> first_error() const;

  // The same among those that can make the outputs wrong: a launch that fails runs nothing.
  std::optional<SafetyFinding> first_cause() const;

 private:
  std::vector<SafetyFinding> errors() const;

  std::string path_;
};

// One line of the list, as cpu_device's checked mode writes it; nothing for a warning, a note or a leak.
std::optional<SafetyFinding> parse_finding(const std::string& line);

}  // namespace judge
