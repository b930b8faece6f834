#include "lesson_main.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "build_paths.h"
#include "compile.h"
#include "interrupt.h"
#include "options.h"
#include "sha256.h"
#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

constexpr int kExitFailed = 1, kExitUsage = 2, kExitInternal = 3;

// One run of a lesson's test.
struct Run {
  Lesson lesson;
  Options options;
  Workshop workshop;
  std::unique_ptr<TemporaryDirectory> directory;
  bool untouched_stub = false;
};

Run* run = nullptr;

const CheckPlan* find_check(const Lesson& lesson, const std::string& name) {
  for (const CheckPlan& check : lesson.checks)
    if (check.name == name) return &check;
  return nullptr;
}

void add_with_needs(const Lesson& lesson, const std::string& name, std::set<std::string>* names) {
  if (!names->insert(name).second) return;
  for (const std::string& need : find_check(lesson, name)->needs)
    add_with_needs(lesson, need, names);
}

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./+=@%").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// The command that repeats one check.
std::string replay_command(const std::string& check) {
  std::string command = "scripts/grade " + run->lesson.number();
  const std::filesystem::path source(run->options.source);
  const std::string directory = source.has_parent_path() ? source.parent_path().string() : ".";
  const auto is_ours = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::equivalent(
        directory, std::filesystem::path(kSourceRoot) / name, ignored);
  };
  if (is_ours("solutions"))
    command += " --solutions";
  else if (!is_ours("kernels"))
    command += " --kernels " + shell_word(sanitised(directory));
  return command + format(
                       " --check %s --seed 0x%llx", check.c_str(),
                       static_cast<unsigned long long>(run->options.seed));
}

// " (kernels/01_naive.cu:44, TODO 01.2)" if the misconception belongs to a gap that the file still names, else "".
std::string gap_words(const std::string& slug) {
  const auto gap = run->lesson.gaps.find(slug);
  if (gap == run->lesson.gaps.end()) return "";
  std::ifstream file(run->options.source);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find("(" + gap->second + ")") != std::string::npos)
      return format(
          " (%s:%d, TODO %s)", sanitised(run->options.source).c_str(), number, gap->second.c_str());
  }
  return "";
}

// Lines behind a label such as "looks like: ", one below the other.
std::string hanging(std::string lines) {
  for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; ++at)
    lines.insert(at + 1, "            ");
  return lines;
}

Outcome failed(const CheckPlan& plan, const Failure& failure) {
  Outcome outcome;
  outcome.verdict = Verdict::kFail;
  outcome.kind = failure.kind;
  outcome.message = failure.headline;
  if (!failure.details.empty()) outcome.message += "\n" + failure.details;
  if (!failure.found.empty()) outcome.message += "\nfound:      " + hanging(failure.found);
  if (failure.diagnosis.confident)
    outcome.message +=
        "\nlooks like: " + failure.diagnosis.words + gap_words(failure.diagnosis.slug);
  outcome.message += "\nagain:      " + replay_command(plan.name) + "\nread:       " + plan.read;
  outcome.diagnosis = failure.diagnosis.slug;
  outcome.confident = failure.diagnosis.confident;
  outcome.found = failure.found;
  outcome.case_json = failure.case_json;
  return outcome;
}

Outcome not_run(const std::string& reason) {
  Outcome outcome;
  outcome.verdict = Verdict::kNotRun;
  outcome.message = reason;
  return outcome;
}

Outcome internal_error(const std::string& what) {
  Outcome outcome;
  outcome.verdict = Verdict::kInternalError;
  outcome.message = what;
  return outcome;
}

Outcome evaluate(const CheckPlan& plan, const std::function<void(Check&)>& body) {
  const bool stub = run->untouched_stub;
  Outcome not_started;
  not_started.verdict = Verdict::kNotStarted;
  not_started.message = "the file is the untouched stub";
  if (stub && !plan.needs.empty()) return not_started;  // compiling needs nothing and is done
  for (const std::string& need : plan.needs) {
    const Verdict verdict = run->workshop.verdicts[need];
    if (verdict == Verdict::kNotRun) return not_run("needs " + need + ", which was not run");
    if (verdict != Verdict::kPass) return not_run("needs " + need + ", which did not pass");
  }

  Check check(run->workshop, plan.name);
  Outcome outcome;
  try {
    try {
      body(check);
      check.pass_on_runner();
    } catch (Failure& failure) {
      check.find_cause(&failure);
      throw;
    }
  } catch (const Failure& failure) {
    outcome = stub ? internal_error(
                         "the untouched stub fails: " + failure.headline + "\n" + failure.details)
                   : failed(plan, failure);
  } catch (const NotRun& reason) {
    outcome = not_run(reason.reason);
  } catch (const Interrupted&) {
    // Nobody waits for a verdict any more: leave no child, no files and no report.
    run->directory.reset();
    std::fflush(nullptr);
    _exit(128 + interrupted());
  } catch (const std::exception& error) {
    outcome = internal_error(error.what());
  }
  outcome.note = check.notes();
  if (stub && outcome.verdict == Verdict::kPass) return not_started;
  return outcome;
}

void record(const Outcome& outcome) {
  using ::testing::Test;
  Test::RecordProperty("verdict", verdict_name(outcome.verdict));
  Test::RecordProperty("kind", outcome.kind);
  Test::RecordProperty("message", outcome.message);
  Test::RecordProperty("diagnosis", outcome.diagnosis);
  Test::RecordProperty("confident", outcome.confident ? "true" : "false");
  Test::RecordProperty("found", outcome.found);
  Test::RecordProperty("case", outcome.case_json);
  Test::RecordProperty("note", outcome.note);
}

// "FAIL            ragged            never written: N_q=33 ..."
void print_line(const std::string& check, const Outcome& outcome) {
  std::string remark = outcome.kind;
  const std::string said = outcome.message.substr(0, outcome.message.find('\n'));
  if (!said.empty()) remark += (remark.empty() ? "" : ": ") + said;
  if (remark.empty()) remark = outcome.note;
  std::string line =
      format("%-15s %-16s %s", verdict_name(outcome.verdict), check.c_str(), remark.c_str());
  line.erase(line.find_last_not_of(' ') + 1);
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

// "--gtest_output=json:report.json": complains now instead of after the work.
void require_writable_report(const std::string& gtest_argument) {
  const std::string_view option = "--gtest_output=";
  const std::size_t colon = gtest_argument.find(':');
  if (!gtest_argument.starts_with(option) || colon == std::string::npos) return;
  const std::string path = gtest_argument.substr(colon + 1);
  const bool existed = std::filesystem::exists(path);
  if (!std::ofstream(path, std::ios::app))
    throw std::invalid_argument("the report cannot be written to " + path);
  if (!existed) std::filesystem::remove(path);
}

std::string suite_name(const Lesson& lesson) { return "Lesson" + lesson.number(); }

// The gtest argument that selects some checks and what they need.
std::string filter_argument(const Lesson& lesson, const std::vector<std::string>& wanted) {
  std::set<std::string> names;
  for (const std::string& one : wanted) {
    if (find_check(lesson, one) == nullptr) {
      std::string known;
      for (const CheckPlan& check : lesson.checks) known += " " + check.name;
      throw std::invalid_argument(
          "no check '" + one + "' in lesson " + lesson.name + "; it has" + known);
    }
    add_with_needs(lesson, one, &names);
  }
  std::string filter;
  for (const std::string& name : names)
    filter += (filter.empty() ? "" : ":") + suite_name(lesson) + "." + name;
  return "--gtest_filter=" + filter;
}

bool is_untouched_stub(const Options& options) {
  if (options.stub_sha256.empty() || !std::filesystem::is_regular_file(options.source))
    return false;
  std::ifstream file(options.source, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::string expected = options.stub_sha256;
  std::transform(expected.begin(), expected.end(), expected.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return sha256(text) == expected;
}

int exit_status() {
  int status = 0;
  for (const auto& [name, verdict] : run->workshop.verdicts) {
    if (verdict == Verdict::kInternalError) return kExitInternal;
    if (verdict == Verdict::kFail || verdict == Verdict::kNotStarted) status = kExitFailed;
  }
  return status;
}

}  // namespace

void run_check(const std::function<void(Check&)>& body) {
  const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const CheckPlan* const plan = find_check(run->lesson, name);
  const Outcome outcome = plan != nullptr
                              ? evaluate(*plan, body)
                              : internal_error("this check is not in the lesson's plan");
  run->workshop.verdicts[name] = outcome.verdict;
  record(outcome);
  print_line(name, outcome);
  switch (outcome.verdict) {
    case Verdict::kPass:
      return;
    case Verdict::kNotRun:
      GTEST_SKIP() << outcome.message;
    case Verdict::kFail:
    case Verdict::kNotStarted:
    case Verdict::kInternalError:
      ADD_FAILURE() << verdict_name(outcome.verdict) << " " << outcome.kind << "\n"
                    << outcome.message;
  }
}

int lesson_main(int argc, char** argv, const Lesson& lesson) {
  for (int n = 1; n < argc; ++n) {
    if (std::string_view(argv[n]) != "--help" && std::string_view(argv[n]) != "-h") continue;
    std::printf("usage: %s_test --source FILE [options]\n%s", lesson.name.c_str(), options_help());
    return 0;
  }
  // gtest's arguments go to gtest.
  std::vector<std::string> ours, gtests = {argv[0]};
  for (int n = 1; n < argc; ++n)
    (std::string_view(argv[n]).starts_with("--gtest_") ? gtests : ours).push_back(argv[n]);

  Run this_run;
  run = &this_run;
  this_run.lesson = lesson;
  try {
    this_run.options = parse_options(ours, kBuildDevice);
    if (this_run.options.device != kBuildDevice)
      throw std::invalid_argument(format(
          "this build grades on the %s device; for --device %s configure another one", kBuildDevice,
          this_run.options.device.c_str()));
    if (!this_run.options.checks.empty())
      gtests.push_back(filter_argument(lesson, this_run.options.checks));
    for (const std::string& argument : gtests) require_writable_report(argument);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s_test: %s\n", lesson.name.c_str(), error.what());
    return kExitUsage;
  }

  install_interrupt_handlers();
  try {
    this_run.directory = std::make_unique<TemporaryDirectory>();
  } catch (const InternalError& error) {
    std::fprintf(stderr, "%s_test: %s\n", lesson.name.c_str(), error.what());
    return kExitInternal;
  }
  this_run.untouched_stub = is_untouched_stub(this_run.options);
  Workshop& workshop = this_run.workshop;
  workshop.device = kBuildDevice;
  workshop.source = this_run.options.source;
  workshop.library = this_run.directory->path() + "/lib" + lesson.name + ".so";
  workshop.runner = kBuildRunner;
  workshop.directory = this_run.directory->path();
  workshop.compiler = split(kBuildCompiler, ';');
  // That of the compiler's own toolkit, if it is there, else that on the PATH.
  const auto sanitizer =
      std::filesystem::path(workshop.compiler[0]).replace_filename(workshop.sanitizer);
  if (std::filesystem::exists(sanitizer)) workshop.sanitizer = sanitizer.string();
  workshop.seed = this_run.options.seed;
  workshop.checks_per_process = this_run.options.checks_per_process;
  workshop.operation = lesson.operation;
  workshop.has_lse = lesson.has_lse;
  workshop.evidence.bank = lesson.mistakes;

  std::vector<char*> gtest_argv;
  for (std::string& argument : gtests) gtest_argv.push_back(argument.data());
  int gtest_argc = static_cast<int>(gtest_argv.size());
  gtest_argv.push_back(nullptr);
  ::testing::InitGoogleTest(&gtest_argc, gtest_argv.data());
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());  // print_line() says it all
  std::printf(
      "%s  seed 0x%llx\n", lesson.name.c_str(), static_cast<unsigned long long>(workshop.seed));
  const int gtest_status = RUN_ALL_TESTS();
  const int status = exit_status();
  // gtest also fails for reasons of its own, such as a report that cannot be written.
  return status == 0 && gtest_status != 0 ? kExitInternal : status;
}

}  // namespace judge
