// What a program of faulty/ or correct/ is expected to make the checked mode report, and the
// comparison with what it did report.
//
//   // expect: SEVERITY CLASS [A] [B]   must be reported at the line that ends in "// [A]"; for the
//                                       classes with two places, [B] is the other one
//   // allow: SEVERITY CLASS [A] [B]    may be reported too
//   // expect-none: CLASS               must not be reported, with no severity
//
// Errors that are neither expected nor allowed are mismatches; warnings and notes are not.
#pragma once

#include <string>
#include <vector>

struct Finding {
  std::string severity;
  std::string kind;   // the class, such as shared-race
  std::string place;  // file:line
  std::string other;  // file:line of the other access, or "-"
  std::string text;   // the whole line
};

struct Expectation {
  enum class Rule { kMust, kMay, kMustNot };
  Rule rule = Rule::kMust;
  std::string severity;  // empty for kMustNot
  std::string kind;
  std::vector<std::string> places;  // none: anywhere
};

// Reads CPU_DEVICE_FINDINGS's file; throws std::runtime_error for a line that is none.
std::vector<Finding> read_findings(const std::string& path);

// Reads the expectations of a .cu file and the tags of its lines and of the headers beside it that
// it includes; throws std::runtime_error for a malformed one.
std::vector<Expectation> read_expectations(const std::string& path);

// One sentence per mismatch.
std::vector<std::string> mismatches(
    const std::vector<Finding>& findings, const std::vector<Expectation>& expectations);
