// The main program of a lesson's test: command line, graph of checks, verdicts.
//
// A lesson's test holds one TEST per check, in suite LessonNN, whose body calls run_check(), and
//
//   int main(int argc, char** argv) { return judge::lesson_main(argc, argv, kLesson); }
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "check.h"

namespace judge {

struct CheckPlan {
  std::string name;                // of the TEST
  std::vector<std::string> needs;  // checks without which this one tells nothing
  std::string read;                // where the learner finds what this is about
};

struct Lesson {
  std::string name;  // "01_naive"
  std::vector<CheckPlan> checks;
  // Which gap of the stub a misconception belongs to: "scale-missing" -> "01.2".
  std::map<std::string, std::string> gaps;
  bool has_lse = false;  // LSE is asked for, and passed
  std::vector<Mistake> mistakes = naive_mistakes();
  protocol::Operation operation = protocol::Operation::kForward;
  std::string number() const { return name.substr(0, 2); }
};

// Runs the body of the current TEST and records its verdict: as properties of the TEST, as its gtest result, and
// as one line on standard output. To be called once, from inside a TEST.
void run_check(const std::function<void(Check&)>& body);

// Exit status: 0 no check failed, 1 a check failed or the stub is untouched, 2 usage, 3 internal error.
int lesson_main(int argc, char** argv, const Lesson& lesson);

}  // namespace judge
