// What a request costs by the definitions of ncu: 32-byte sectors in global memory, wavefronts in shared memory.
// Checked against an H200: tests/cpu_device/counters.
#pragma once

#include <stdint.h>

#include "access_log.h"
#include "cpu_device.h"

namespace cpu_device {

// One instruction of a warp: which lanes take part, and where each of them accesses.
struct Request {
  unsigned kind;  // of AccessLog
  uint32_t lanes;
  uint64_t address[32];  // by lane
};

// Distinct 32-byte sectors; of atomic operations, as often as lanes meet at one address.
unsigned sectors(const Request& request);

// Passes through shared memory: bank n holds the words whose number is n modulo 32, a pass takes one word from each, and
// lanes that want the same word share it. The lanes of an access of 8 bytes go in two phases of 16, those of 16 bytes
// in four of 8; of loads, two phases become one if every lane i of the warp agrees with lane i ^ 1, or every one with i ^ 2.
struct Wavefronts {
  unsigned needed, ideal;  // ideal: one for each phase
};
Wavefronts wavefronts(const Request& request);

// Adds n requests whose lanes all access one address.
void add_uniform(cpuDeviceAccesses* sum, unsigned kind, uint32_t lanes, uint64_t address);
// Adds a request whose lanes access neighbouring elements: lane i at address + i * size. All 32 take part.
void add_consecutive(cpuDeviceAccesses* sum, unsigned kind, uint64_t address);
// Adds any request.
void add_request(cpuDeviceAccesses* sum, const Request& request);

}  // namespace cpu_device
