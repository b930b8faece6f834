// How programs read the counters: the functions of cpu_device.h, and at a program's end the JSON file and the table that
// the environment variables CPU_DEVICE_COUNTERS and CPU_DEVICE_COUNTER_TABLE ask for.
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <utility>

#include "checker.h"
#include "counters.h"
#include "counters_report.h"
#include "cpu_device.h"
#include "cpu_device/kernel.h"
#include "memory.h"

namespace cpu_device {
namespace {

using AccessMember = cpuDeviceAccesses cpuDeviceCounters::*;
constexpr std::pair<const char*, AccessMember> kAccesses[] = {
    {"global_load", &cpuDeviceCounters::global_load},
    {"global_store", &cpuDeviceCounters::global_store},
    {"global_atomic", &cpuDeviceCounters::global_atomic},
    {"shared_load", &cpuDeviceCounters::shared_load},
    {"shared_store", &cpuDeviceCounters::shared_store},
    {"shared_atomic", &cpuDeviceCounters::shared_atomic},
};

std::string quoted(const char* text) {
  std::string result = "\"";
  for (; *text != '\0'; ++text) {
    const auto c = static_cast<unsigned char>(*text);
    char escape[8];
    if (c == '"' || c == '\\') {
      result += '\\';
      result += *text;
    } else if (c < 0x20) {
      snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else {
      result += *text;
    }
  }
  return result + "\"";
}

void write_counters(FILE* file, const cpuDeviceCounters& c) {
  fputs("{", file);
  for (const auto& [name, member] : kAccesses) {
    const cpuDeviceAccesses& a = c.*member;
    fprintf(
        file,
        "\"%s\": {\"requests\": %llu, \"accesses\": %llu, \"bytes\": %llu, \"bytes_16\": %llu, "
        "\"sectors\": %llu, \"wavefronts\": %llu, \"ideal_wavefronts\": %llu}, ",
        name, a.requests, a.accesses, a.bytes, a.bytes_16, a.sectors, a.wavefronts,
        a.ideal_wavefronts);
  }
  fprintf(
      file,
      "\"barriers\": %llu, \"warp_syncs\": %llu, \"shuffles\": %llu, \"votes\": %llu, "
      "\"exp_calls\": %llu}",
      c.barriers, c.warp_syncs, c.shuffles, c.votes, c.exp_calls);
}

void write_json(FILE* file) {
  size_t count = 0;
  const cpuDeviceLaunch* const launches = cpuDeviceLaunches(&count);
  fprintf(
      file,
      "{\"compiler\": %s, \"advisory\": %s, \"peak_bytes\": %llu, \"bytes_in_use\": %llu, "
      "\"launches\": [",
      quoted(compiler_name()).c_str(), counters_are_advisory() ? "true" : "false",
      cpuDevicePeakBytes(), cpuDeviceBytesInUse());
  for (size_t n = 0; n < count; ++n) {
    const cpuDeviceLaunch& l = launches[n];
    fprintf(
        file,
        "%s\n{\"kernel\": %s, \"grid\": [%u, %u, %u], \"block\": [%u, %u, %u], "
        "\"static_shared\": %zu, \"dynamic_shared\": %zu, \"launches\": %llu, "
        "\"bytes_in_use\": %llu,\n \"counters\": ",
        n == 0 ? "" : ",", quoted(l.kernel).c_str(), l.grid[0], l.grid[1], l.grid[2], l.block[0],
        l.block[1], l.block[2], l.static_shared, l.dynamic_shared, l.launches, l.bytes_in_use);
    write_counters(file, l.counters);
    fputs(",\n \"lines\": [", file);
    size_t line_count = 0;
    const cpuDeviceLine* const lines = cpuDeviceLines(n, &line_count);
    for (size_t i = 0; i < line_count; ++i) {
      fprintf(
          file, "%s\n  {\"place\": %s, \"counters\": ", i == 0 ? "" : ",",
          quoted(lines[i].place).c_str());
      write_counters(file, lines[i].counters);
      fputs("}", file);
    }
    fputs("]}", file);
  }
  fputs("\n]}\n", file);
}

}  // namespace

namespace {
const char* compiler = "unknown";
bool is_clang = false;
}  // namespace

const char* compiler_name() { return compiler; }
bool counters_are_advisory() { return is_clang; }

namespace {

// The value of an environment variable, "" where it is not set.
const char* setting(const char* name) {
  const char* const value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

bool counters_asked_for() {
  return *setting("CPU_DEVICE_COUNTERS") != '\0' || *setting("CPU_DEVICE_COUNTER_TABLE") != '\0';
}

void report_counters() {
  if (*setting("CPU_DEVICE_COUNTER_TABLE") != '\0') print_counter_table(stderr);
  const char* const path = setting("CPU_DEVICE_COUNTERS");
  if (*path == '\0') return;
  FILE* const file = fopen(path, "w");
  if (file == nullptr) {
    fprintf(stderr, "cpu_device: cannot write CPU_DEVICE_COUNTERS=%s\n", path);
    return;
  }
  write_json(file);
  fclose(file);
}

}  // namespace cpu_device

using cpu_device::Checker;
using cpu_device::Counters;

extern "C" {

int cpuDeviceRegisterCompiler(const char* name, int clang, int plain_vectors) {
  if (plain_vectors != 0) Counters::instance().set_plain_vectors();
  cpu_device::compiler = name;
  cpu_device::is_clang = clang != 0;
  return 0;
}

void cpuDeviceSetCounting(int on) { Counters::instance().set_wanted(on != 0); }

const struct cpuDeviceLaunch* cpuDeviceLaunches(size_t* count) {
  const auto& launches = Counters::instance().launches();
  *count = launches.size();
  return launches.empty() ? nullptr : launches.data();
}

const struct cpuDeviceLine* cpuDeviceLines(size_t launch, size_t* count) {
  const auto& lines = Counters::instance().lines(launch);
  *count = lines.size();
  return lines.empty() ? nullptr : lines.data();
}

void cpuDeviceClearCounters(void) { Counters::instance().clear(); }

int cpuDeviceTraffic(const void* ptr, struct cpuDeviceCounters* counters) {
  if (!Checker::enabled()) return 0;
  const auto address = reinterpret_cast<uintptr_t>(ptr);
  const cpu_device::Region* const region = Checker::instance().region_at(address);
  if (region == nullptr || region->freed || !region->contains(address, 1)) return 0;
  *counters = region->traffic;
  return 1;
}

unsigned long long cpuDeviceBytesInUse(void) { return cpu_device::device_bytes_in_use(); }
unsigned long long cpuDevicePeakBytes(void) { return cpu_device::device_bytes_at_peak(); }

}  // extern "C"
