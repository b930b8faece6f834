#include "findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "module.h"

namespace cpu_device {
namespace {

constexpr size_t kMostReported = 20;

using Key = std::tuple<
    std::string_view, uintptr_t, std::string_view, int, uintptr_t, std::string_view, int, Severity>;

struct Entry {
  uint64_t count = 0;
  Finding finding;
};

struct Store {
  std::mutex mutex;
  std::map<Key, Entry> entries;
};

// Never destroyed: host code may run until the very end.
Store& store() {
  static auto& instance = *new Store;
  return instance;
}

std::string_view text(const char* file) { return file == nullptr ? "" : file; }

Key key_of(Severity severity, const char* kind, const Place& place, const Place& other) {
  return {kind,       place.code,       text(place.file), place.line,
          other.code, text(other.file), other.line,       severity};
}

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// A finding with its lines known: several code addresses of one line are one finding.
struct Line {
  uint64_t count;
  const Finding* finding;
  std::string place, other;
};

std::string line_of(const Place& place) {
  if (place.file != nullptr) return std::string(place.file) + ":" + std::to_string(place.line);
  return place.code == 0 ? "" : source_line(place.code - 1);  // the call, not the return address
}

std::vector<Line> lines_of(const std::map<Key, Entry>& entries) {
  std::map<std::tuple<int, std::string, std::string, std::string>, Line> merged;
  std::map<uintptr_t, std::string> known;
  const auto find = [&known](const Place& place) {
    if (place.file != nullptr || place.code == 0) return line_of(place);
    const auto [found, is_new] = known.try_emplace(place.code);
    if (is_new) found->second = line_of(place);
    return found->second;
  };
  for (const auto& [key, entry] : entries) {
    const Finding& finding = entry.finding;
    Line line{entry.count, &finding, find(finding.place), find(finding.other)};
    const auto [found, is_new] = merged.try_emplace(
        {static_cast<int>(finding.severity), finding.kind, line.place, line.other}, line);
    if (!is_new) found->second.count += line.count;
  }
  std::vector<Line> lines;
  for (auto& [key, line] : merged) lines.push_back(std::move(line));
  return lines;
}

void write_list(const char* path, const std::vector<Line>& lines) {
  FILE* const file = fopen(path, "w");
  if (file == nullptr) {
    fprintf(stderr, "cpu_device: cannot write CPU_DEVICE_FINDINGS=%s\n", path);
    return;
  }
  for (const Line& line : lines) {
    std::string message = line.finding->message;
    std::replace(message.begin(), message.end(), '\n', ' ');
    fprintf(
        file, "%s\t%s\t%s\t%s\t%llu\t%s\t%s\t%s\t%s\n", name_of(line.finding->severity),
        line.finding->kind, base_name(line.place).c_str(),
        line.other.empty() ? "-" : base_name(line.other).c_str(),
        static_cast<unsigned long long>(line.count), line.finding->kernel.c_str(),
        line.finding->thread.c_str(), line.finding->block.c_str(), message.c_str());
  }
  fclose(file);
}

void print_report(const std::vector<Line>& lines) {
  size_t shown = 0;
  for (const Line& line : lines) {
    if (++shown > kMostReported) break;
    const Finding& f = *line.finding;
    fprintf(stderr, "%s: %s: %s\n", name_of(f.severity), f.kind, f.message.c_str());
    fprintf(stderr, "    at %s", line.place.empty() ? "an unknown line" : line.place.c_str());
    if (!line.other.empty()) fprintf(stderr, " and %s", line.other.c_str());
    if (line.count > 1)
      fprintf(stderr, ", %llu times", static_cast<unsigned long long>(line.count));
    fprintf(stderr, "\n");
    if (!f.kernel.empty()) {
      fprintf(
          stderr, "    first: thread %s of block %s, kernel %s\n", f.thread.c_str(),
          f.block.c_str(), f.kernel.c_str());
    }
  }
  if (lines.size() > kMostReported) {
    fprintf(stderr, "and %zu more\n", lines.size() - kMostReported);
  }
  const auto errors = std::count_if(lines.begin(), lines.end(), [](const Line& line) {
    return line.finding->severity == Severity::kError;
  });
  fprintf(
      stderr, "cpu_device: %td errors, %td warnings and notes\n", errors,
      static_cast<ptrdiff_t>(lines.size()) - errors);
}

}  // namespace

bool count_finding(Severity severity, const char* kind, const Place& place, const Place& other) {
  const std::lock_guard lock(store().mutex);
  return ++store().entries[key_of(severity, kind, place, other)].count == 1;
}

void describe_finding(const Finding& finding) {
  const std::lock_guard lock(store().mutex);
  store().entries[key_of(finding.severity, finding.kind, finding.place, finding.other)].finding =
      finding;
}

void report_findings() {
  const std::lock_guard lock(store().mutex);
  const std::vector<Line> lines = lines_of(store().entries);
  if (const char* const path = getenv("CPU_DEVICE_FINDINGS")) write_list(path, lines);
  if (!lines.empty()) print_report(lines);
}

}  // namespace cpu_device
