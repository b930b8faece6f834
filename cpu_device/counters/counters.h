// The counters of checked programs: per launch, per source line and per allocation. cpu_device.h has their definitions
// and the interface by which programs read them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "access_log.h"
#include "cpu_device.h"
#include "cpu_device/warp.h"
#include "request_matcher.h"

namespace cpu_device {

class BlockRunner;
struct Region;

// The member of a set of counters that a kind of access belongs to.
cpuDeviceAccesses& accesses_of(cpuDeviceCounters& counters, unsigned kind);
// Adds one to the other.
void add(cpuDeviceCounters& sum, const cpuDeviceCounters& more);

class Counters final : RequestSink {
 public:
  static Counters& instance();

  // Host side, between launches.
  void set_wanted(bool on) { wanted_ = on; }
  // Vectors arrive member by member: their accesses are put together again.
  void set_plain_vectors() { plain_vectors_ = true; }
  const std::vector<cpuDeviceLaunch>& launches();
  const std::vector<cpuDeviceLine>& lines(size_t launch);
  void clear();

  // Device side. One block runs at a time.
  void begin_launch(const cpuDeviceLaunch& launch, uintptr_t code_nearby);
  void end_launch();
  bool counting() const { return counting_; }
  AccessLog* log_of(unsigned thread) { return &logs_[thread]; }
  // The running thread's log is full. Comes back when it is empty, other threads having run meanwhile.
  void make_room(BlockRunner& runner);
  // The warp is together: it has passed a barrier, or all of it a warp function, or its block has ended.
  void warp_together(unsigned warp);
  void block_together();  // all its warps
  void barrier(const char* file, int line);
  void warp_function(cpuDeviceWarpOp op, const char* file, int line);
  void exp_call(uintptr_t code);

 private:
  // What an instruction did in the present launch. code: low half of the return address.
  struct Instruction {
    uint32_t code = 0;
    Region* region = nullptr;  // the last one that it accessed
    cpuDeviceCounters counters = {};
  };
  struct Record {
    cpuDeviceLaunch launch;
    std::string kernel;
    uintptr_t code_nearby = 0;
    std::map<uint32_t, cpuDeviceCounters> instructions;
    std::map<std::pair<std::string, int>, cpuDeviceCounters> places;  // barriers and warp functions
    std::vector<cpuDeviceLine> lines;
    std::vector<std::unique_ptr<std::string>> line_names;
  };

  void uniform(uint32_t code, unsigned kind, uint32_t lanes, uint64_t address) override;
  void consecutive(uint32_t code, unsigned kind, uint64_t address) override;
  void request(uint32_t code, const Request& request) override;

  void take(unsigned warp, uint32_t stopped);
  Instruction& instruction(uint32_t code);
  Region* region_of(Instruction& instruction, uint64_t address);
  cpuDeviceCounters& place(const char* file, int line);
  Record& record_for(const cpuDeviceLaunch& launch);

  bool wanted_ = false;
  bool plain_vectors_ = false;
  bool counting_ = false;
  std::unique_ptr<AccessLog[]> logs_;
  std::unique_ptr<RequestMatcher[]> matchers_;
  unsigned threads_ = 0;  // of a block of the present launch

  static constexpr size_t kCached = 256;
  Instruction* cached_[kCached] = {};
  std::unordered_map<uint32_t, Instruction> instructions_;
  std::map<std::pair<const char*, int>, cpuDeviceCounters> places_;
  Record* present_ = nullptr;
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<cpuDeviceLaunch> launches_;
};

}  // namespace cpu_device
