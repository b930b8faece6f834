#include "findings.h"

#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <tuple>

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

// A finding with its lines known: several code addresses of one line are one finding.
struct Line {
  uint64_t count;
  Finding finding;
  std::string place, other;
};

struct Store {
  std::mutex mutex;
  std::map<Key, Entry> entries;
  // What the last call of findings() answered.
  std::vector<Line> lines;
  std::vector<cpuDeviceFinding> answer;
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

const char* name_of(cpuDeviceSeverity severity) {
  switch (severity) {
    case cpuDeviceError:
      return "error";
    case cpuDeviceWarning:
      return "warning";
    case cpuDeviceNote:
      return "note";
  }
  return "error";
}

// The compiler names files as it was called with them, the debug information names them in full.
std::string full_path(const char* file) {
  char* const path = *file == '/' ? nullptr : realpath(file, nullptr);
  std::string result = path == nullptr ? file : path;
  free(path);
  return result;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<Line> lines_of(const std::map<Key, Entry>& entries) {
  std::map<uintptr_t, std::string> known;
  for (const auto& [key, entry] : entries) {
    for (const Place& place : {entry.finding.place, entry.finding.other}) {
      if (place.file == nullptr && place.code != 0) known[place.code];
    }
  }
  std::vector<uintptr_t> calls;  // not the return addresses
  for (const auto& [code, line] : known) calls.push_back(code - 1);
  const std::vector<std::string> found = source_lines(calls);
  size_t n = 0;
  for (auto& [code, line] : known) line = found[n++];

  const auto line_of = [&known](const Place& place) {
    if (place.file != nullptr) return full_path(place.file) + ":" + std::to_string(place.line);
    return place.code == 0 ? "" : known[place.code];
  };
  std::map<std::tuple<int, std::string, std::string, std::string>, Line> merged;
  for (const auto& [key, entry] : entries) {
    const Finding& finding = entry.finding;
    Line line{entry.count, finding, line_of(finding.place), line_of(finding.other)};
    const auto [at, is_new] = merged.try_emplace(
        {static_cast<int>(finding.severity), finding.kind, line.place, line.other}, line);
    if (!is_new) at->second.count += line.count;
  }
  std::vector<Line> lines;
  for (auto& [key, line] : merged) lines.push_back(std::move(line));
  return lines;
}

void write_list(const char* path, const std::vector<cpuDeviceFinding>& list) {
  FILE* const file = fopen(path, "w");
  if (file == nullptr) {
    fprintf(stderr, "cpu_device: cannot write CPU_DEVICE_FINDINGS=%s\n", path);
    return;
  }
  for (const cpuDeviceFinding& f : list) {
    std::string message = f.message;
    std::replace(message.begin(), message.end(), '\n', ' ');
    fprintf(
        file, "%s\t%s\t%s\t%s\t%llu\t%s\t%s\t%s\t%s\n", name_of(f.severity), f.kind,
        base_name(f.place).c_str(), *f.other_place == '\0' ? "-" : base_name(f.other_place).c_str(),
        f.count, f.kernel, f.thread, f.block, message.c_str());
  }
  fclose(file);
}

void print_report(const std::vector<cpuDeviceFinding>& list) {
  size_t shown = 0;
  for (const cpuDeviceFinding& f : list) {
    if (++shown > kMostReported) break;
    fprintf(stderr, "%s: %s: %s\n", name_of(f.severity), f.kind, f.message);
    fprintf(stderr, "    at %s", *f.place == '\0' ? "an unknown line" : f.place);
    if (*f.other_place != '\0') fprintf(stderr, " and %s", f.other_place);
    if (f.count > 1) fprintf(stderr, ", %llu times", f.count);
    fprintf(stderr, "\n");
    if (*f.kernel != '\0') {
      fprintf(stderr, "    first: thread %s of block %s, kernel %s\n", f.thread, f.block, f.kernel);
    }
  }
  if (list.size() > kMostReported) fprintf(stderr, "and %zu more\n", list.size() - kMostReported);
  const auto errors = std::count_if(list.begin(), list.end(), [](const cpuDeviceFinding& f) {
    return f.severity == cpuDeviceError;
  });
  fprintf(
      stderr, "cpu_device: %td errors, %td warnings and notes\n", errors,
      static_cast<ptrdiff_t>(list.size()) - errors);
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

const std::vector<cpuDeviceFinding>& findings() {
  const std::lock_guard lock(store().mutex);
  Store& s = store();
  s.lines = lines_of(s.entries);
  s.answer.clear();
  for (const Line& line : s.lines) {
    const Finding& f = line.finding;
    s.answer.push_back(
        {static_cast<cpuDeviceSeverity>(f.severity), f.kind, line.place.c_str(), line.other.c_str(),
         line.count, f.kernel.c_str(), f.thread.c_str(), f.block.c_str(), f.message.c_str()});
  }
  return s.answer;
}

void clear_findings() {
  const std::lock_guard lock(store().mutex);
  store().entries.clear();
  store().answer.clear();
  store().lines.clear();
}

void report_findings() {
  const std::vector<cpuDeviceFinding>& list = findings();
  if (const char* const path = getenv("CPU_DEVICE_FINDINGS")) write_list(path, list);
  if (!list.empty()) print_report(list);
}

}  // namespace cpu_device

extern "C" {

const struct cpuDeviceFinding* cpuDeviceFindings(size_t* count) {
  const std::vector<cpuDeviceFinding>& list = cpu_device::findings();
  *count = list.size();
  return list.empty() ? nullptr : list.data();
}

void cpuDeviceClearFindings(void) { cpu_device::clear_findings(); }

}  // extern "C"
