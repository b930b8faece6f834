// What the runner needs to know of the device it was built for, beyond the CUDA API.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol.h"

namespace runner {

// True if a device answers; else why not.
bool device_ready(char* why, std::size_t size);

// Order in which the blocks and warps of the following launches run. Ignored by a GPU.
void device_set_schedule(protocol::Schedule schedule, std::uint64_t seed);

// Runs only these blocks of the following launches; count 0 means all of them. Ignored by a GPU.
void device_sample_blocks(std::uint64_t first, std::uint64_t count);

// Bytes of the library's __device__ and __constant__ variables.
std::uint64_t device_static_bytes();

// What the device has to say about the last fault, "" if nothing.
const char* device_report();

// Writes what a checked build (cucc --check) has found; nothing happens for any other.
void device_write_findings();

// Ends the work with the device, for good.
void device_reset();

// Counts what the kernels of a checked build do, from the first call on; end fills in counts for the buffers at base
// (null where a tensor has none). False if nothing was counted: on a GPU, or for any other build.
void device_begin_counting();
bool device_end_counting(void* const base[protocol::kTensors], protocol::Counts* counts);

}  // namespace runner
