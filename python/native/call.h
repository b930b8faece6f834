// What the Python extension (extension.cpp) asks of a kernel library, and what comes back. A kernel
// library is one kernel file compiled together with library.cpp and meter.cpp, by cucc or by nvcc.
//
// Plain C structures: the two sides may come from different compilers. They are built from the same
// copy of this file, which kCallVersion guards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flash_lessons {

inline constexpr int kCallVersion = 2;

// The float with these bits, a signalling NaN, is what results on the CPU device begin as.
inline constexpr std::uint32_t kNeverWritten = 0x7fa0f1a5;

enum Tensor { kQ, kK, kV, kO, kLSE, kDO, kDQ, kDK, kDV, kTensors };
// Their names in Python.
inline constexpr const char* kTensorNames[kTensors] = {"q",  "k",  "v",  "o", "lse",
                                                       "do", "dq", "dk", "dv"};

struct Call {
  // Null where the function has no such tensor, or nobody wants it. In host memory, or on the GPU.
  float* tensor[kTensors];
  std::uint64_t elements[kTensors];
  int batch, num_heads, num_heads_kv, seq_len_q, seq_len_k, head_dim;
  float softmax_scale;
  int causal;
  int backward;       // 1: attention_backward, 0: attention_forward
  int gpu;            // -1: tensors lie in host memory; else in the memory of this GPU
  void* stream;       // of that GPU: the work is put on it, and nobody waits
  int skip_launches;  // 1: allocate and launch nothing; tensors are not copied
  int count;          // 1: count accesses; the library was built with cucc --check
};

// Accesses of one kind, by ncu's definitions; cpu_device.h says more.
struct Accesses {
  std::uint64_t requests, accesses, bytes, bytes_16, sectors, wavefronts, ideal_wavefronts;
};

struct Counters {
  Accesses global_load, global_store, global_atomic, shared_load, shared_store, shared_atomic;
  std::uint64_t barriers, warp_syncs, shuffles, votes, exp_calls;
  // What happened to each tensor, as a part of the three global kinds.
  Accesses tensor_load[kTensors], tensor_store[kTensors], tensor_atomic[kTensors];
};

struct Result {
  int error;               // a cudaError_t
  char error_name[64];     // "cudaErrorInvalidValue"
  char error_text[256];    // the device's words for it
  char report[4096];       // of a kernel that faulted on the CPU device: what, where, which thread
  std::uint64_t launches;  // kernel launches, also skipped ones
  std::uint64_t allocations;
  std::uint64_t peak_bytes;    // the most that the launcher held of device memory, tensors excluded
  std::uint64_t held_bytes;    // what it still holds
  std::uint64_t failed_bytes;  // the first allocation that was refused; 0: none
  std::uint64_t tensor_bytes[kTensors];  // device memory of the tensors; 0 where they were there
  Counters counters;                     // if asked for
};

// One finding of the checked build; the strings live until the callback returns.
struct Finding {
  const char *severity, *kind, *place, *other_place, *kernel, *thread, *block, *message;
  std::uint64_t count;
};
using FindingCallback = void (*)(void* user, const Finding* finding);

}  // namespace flash_lessons

extern "C" {
int flash_lessons_call_version();
// 0: the CPU device, 1: a GPU.
int flash_lessons_is_gpu();
// Bit 0: the kernel file has attention_forward, bit 1: attention_backward.
int flash_lessons_functions();
// Bytes of all __device__ and __constant__ variables: of this library on a GPU, of all libraries
// together on the CPU device.
std::uint64_t flash_lessons_static_bytes();
void flash_lessons_run(
    const flash_lessons::Call* call, flash_lessons::Result* result,
    flash_lessons::FindingCallback on_finding, void* user);
// on = 1: the kernels of a call on the CPU device are given up, until on = 0. For signal handlers.
void flash_lessons_interrupt(int on);
// Device memory for an array that the caller keeps; null if there is none left.
void* flash_lessons_allocate(int gpu, std::size_t bytes);
void flash_lessons_free(int gpu, void* pointer);
// Waits for a stream; a cudaError_t.
int flash_lessons_wait(int gpu, void* stream);
}
