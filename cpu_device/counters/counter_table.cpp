#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "counters.h"
#include "counters_report.h"
#include "cpu_device.h"

namespace cpu_device {
namespace {

// The lines of a file, read once.
const std::vector<std::string>& text_of(const std::string& path) {
  static auto& files = *new std::map<std::string, std::vector<std::string>>;
  const auto [found, is_new] = files.try_emplace(path);
  if (is_new) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) found->second.push_back(line);
  }
  return found->second;
}

std::string source_text(const std::string& place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string::npos) return "";
  const std::vector<std::string>& text = text_of(place.substr(0, colon));
  const auto line = static_cast<size_t>(atoi(place.c_str() + colon + 1));
  if (line == 0 || line > text.size()) return "";
  std::string result = text[line - 1];
  std::replace(result.begin(), result.end(), '\t', ' ');
  const size_t begin = result.find_first_not_of(' ');
  return begin == std::string::npos ? "" : result.substr(begin, 56);
}

std::string percent(unsigned long long part, unsigned long long whole) {
  char text[16];
  snprintf(
      text, sizeof text, "%.0f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

std::string ratio(unsigned long long a, unsigned long long b) {
  char text[32];
  snprintf(text, sizeof text, "%.1f", static_cast<double>(a) / static_cast<double>(b));
  return text;
}

// What there is to say of accesses of one kind, or "".
std::string words(const char* name, const cpuDeviceAccesses& a, bool global) {
  if (a.requests == 0) return "";
  char text[256];
  snprintf(text, sizeof text, "%s %llu requests, %llu bytes", name, a.requests, a.bytes);
  std::string result = text;
  if (global) {
    snprintf(
        text, sizeof text, ", %llu sectors (%s bytes each), %s in 16-byte accesses", a.sectors,
        ratio(a.bytes, a.sectors).c_str(), percent(a.bytes_16, a.bytes).c_str());
  } else {
    snprintf(
        text, sizeof text, ", %llu wavefronts, ideal %llu, %llu conflicts", a.wavefronts,
        a.ideal_wavefronts, a.wavefronts - a.ideal_wavefronts);
  }
  return result + text;
}

void print_counters(FILE* file, const char* indent, const cpuDeviceCounters& c) {
  for (const std::string& line :
       {words("global load: ", c.global_load, true), words("global store:", c.global_store, true),
        words("global atomic:", c.global_atomic, true),
        words("shared load: ", c.shared_load, false), words("shared store:", c.shared_store, false),
        words("shared atomic:", c.shared_atomic, false)}) {
    if (!line.empty()) fprintf(file, "%s%s\n", indent, line.c_str());
  }
  const std::pair<const char*, unsigned long long> others[] = {
      {"barriers", c.barriers}, {"warp synchronisations", c.warp_syncs}, {"shuffles", c.shuffles},
      {"votes", c.votes},       {"calls of exp", c.exp_calls},
  };
  std::string text;
  for (const auto& [name, count] : others) {
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + " " + name;
  }
  if (!text.empty()) fprintf(file, "%s%s\n", indent, text.c_str());
}

}  // namespace

void print_counter_table(FILE* file) {
  size_t count = 0;
  const cpuDeviceLaunch* const launches = cpuDeviceLaunches(&count);
  // Launches of one kernel are added up.
  struct Kernel {
    std::vector<size_t> launches;
    cpuDeviceCounters sum = {};
    unsigned long long number = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Kernel> kernels;
  for (size_t n = 0; n < count; ++n) {
    Kernel& kernel = kernels[launches[n].kernel];
    if (kernel.launches.empty()) order.push_back(launches[n].kernel);
    kernel.launches.push_back(n);
    kernel.number += launches[n].launches;
    add(kernel.sum, launches[n].counters);
  }
  for (const std::string& name : order) {
    const Kernel& kernel = kernels[name];
    const cpuDeviceLaunch& first = launches[kernel.launches.front()];
    fprintf(
        file, "kernel %s, %llu launch%s\n", name.c_str(), kernel.number,
        kernel.number == 1 ? "" : "es");
    fprintf(
        file,
        "  %sgrid (%u,%u,%u), block (%u,%u,%u), shared memory %zu bytes static, %zu dynamic\n",
        kernel.number == 1 ? "" : "first: ", first.grid[0], first.grid[1], first.grid[2],
        first.block[0], first.block[1], first.block[2], first.static_shared, first.dynamic_shared);
    print_counters(file, "  ", kernel.sum);
    std::vector<std::string> places;
    std::map<std::string, cpuDeviceCounters> lines;
    for (const size_t n : kernel.launches) {
      size_t line_count = 0;
      const cpuDeviceLine* const some = cpuDeviceLines(n, &line_count);
      for (size_t i = 0; i < line_count; ++i) {
        const auto [found, is_new] = lines.try_emplace(some[i].place);
        if (is_new) places.push_back(some[i].place);
        add(found->second, some[i].counters);
      }
    }
    for (const std::string& place : places) {
      const std::string shown = place.empty() ? "(no line)" : place.substr(place.rfind('/') + 1);
      fprintf(file, "    %s   %s\n", shown.c_str(), source_text(place).c_str());
      print_counters(file, "      ", lines[place]);
    }
  }
  fprintf(
      file, "device memory: %llu bytes at peak, %llu in use at the end\n", cpuDevicePeakBytes(),
      cpuDeviceBytesInUse());
  if (counters_are_advisory()) {
    fprintf(file, "advisory: %s; the counts are defined for g++\n", compiler_name());
  }
}

}  // namespace cpu_device
