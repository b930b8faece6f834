#include "findings.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Adds the tagged lines of a file, and of the headers beside it that it includes, to tags.
void read_tags(const std::filesystem::path& path, std::map<std::string, std::string>& tags) {
  static const std::regex tag_pattern(R"(// (\[[A-Z]\])\s*$)");
  static const std::regex include_pattern(R"(^\s*#include "([^/"]+)\")");
  const std::vector<std::string> lines = lines_of(path);
  for (size_t i = 0; i < lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(lines[i], match, include_pattern)) {
      read_tags(path.parent_path() / match[1].str(), tags);
    } else if (
        lines[i].rfind("//", 0) != 0 && std::regex_search(lines[i], match, tag_pattern) &&
        !tags.emplace(match[1], path.filename().string() + ":" + std::to_string(i + 1)).second) {
      throw std::runtime_error(path.string() + ": the tag " + match[1].str() + " stands twice");
    }
  }
}

// A race has two accesses whose order is the schedule's.
bool is_race(const std::string& kind) { return kind == "shared-race" || kind == "global-race"; }

// A deadlock has places where threads wait; any of them may be named.
bool is_deadlock(const std::string& kind) {
  return kind == "divergent-barrier" || kind == "missing-lanes";
}

bool is_at(const Finding& finding, const std::vector<std::string>& places) {
  if (places.empty()) return true;
  if (places.size() == 1) return finding.place == places[0];
  if (is_race(finding.kind)) {
    return (finding.place == places[0] && finding.other == places[1]) ||
           (finding.place == places[1] && finding.other == places[0]);
  }
  const auto named = [&](const std::string& place) {
    return std::find(places.begin(), places.end(), place) != places.end();
  };
  if (is_deadlock(finding.kind)) {
    return named(finding.place) && (finding.other == "-" || named(finding.other));
  }
  return finding.place == places[0] && finding.other == places[1];
}

bool matches(const Finding& finding, const Expectation& expectation) {
  return finding.kind == expectation.kind &&
         (expectation.severity.empty() || finding.severity == expectation.severity) &&
         is_at(finding, expectation.places);
}

std::string text_of(const Expectation& expectation) {
  std::string text = expectation.severity + " " + expectation.kind;
  for (const std::string& place : expectation.places) text += " " + place;
  return text;
}

}  // namespace

std::vector<Finding> read_findings(const std::string& path) {
  std::vector<Finding> findings;
  for (const std::string& line : lines_of(path)) {
    std::vector<std::string> fields;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, '\t');) fields.push_back(field);
    const bool known_severity =
        !fields.empty() && (fields[0] == "error" || fields[0] == "warning" || fields[0] == "note");
    if (fields.size() != 9 || !known_severity) {
      throw std::runtime_error(path + ": no line of nine fields: " + line);
    }
    findings.push_back(Finding{fields[0], fields[1], fields[2], fields[3], line});
  }
  return findings;
}

std::vector<Expectation> read_expectations(const std::string& path) {
  static const std::regex rule_pattern(R"(^// (expect|allow|expect-none):(.*)$)");
  std::map<std::string, std::string> tags;
  read_tags(path, tags);
  std::vector<Expectation> expectations;
  for (const std::string& line : lines_of(path)) {
    std::smatch match;
    if (!std::regex_match(line, match, rule_pattern)) continue;
    Expectation expectation;
    std::istringstream words(match[2]);
    if (match[1] == "expect-none") {
      expectation.rule = Expectation::Rule::kMustNot;
    } else {
      if (match[1] == "allow") expectation.rule = Expectation::Rule::kMay;
      words >> expectation.severity;
    }
    words >> expectation.kind;
    for (std::string tag; words >> tag;) {
      if (tags.count(tag) == 0) throw std::runtime_error(path + ": no line has the tag " + tag);
      expectation.places.push_back(tags[tag]);
    }
    if (expectation.kind.empty() || expectation.places.size() > 2) {
      throw std::runtime_error(path + ": malformed: " + line);
    }
    expectations.push_back(expectation);
  }
  return expectations;
}

std::vector<std::string> mismatches(
    const std::vector<Finding>& findings, const std::vector<Expectation>& expectations) {
  using Rule = Expectation::Rule;
  std::vector<std::string> result;
  for (const Expectation& expectation : expectations) {
    const bool found = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return matches(finding, expectation);
    });
    if (expectation.rule == Rule::kMust && !found) {
      result.push_back("not found: " + text_of(expectation));
    }
    if (expectation.rule == Rule::kMustNot && found) {
      result.push_back("found, but must not be:" + text_of(expectation));
    }
  }
  for (const Finding& finding : findings) {
    const bool known =
        finding.severity != "error" ||
        std::any_of(expectations.begin(), expectations.end(), [&](const Expectation& expectation) {
          return expectation.rule != Rule::kMustNot && matches(finding, expectation);
        });
    if (!known) result.push_back("not expected: " + finding.text);
  }
  return result;
}
