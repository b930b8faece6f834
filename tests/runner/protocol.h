// The messages between the judge and the runner: fixed layouts, fixed lengths.
//
// The judge starts `runner LIBRARY`. The runner sends a Hello when it starts and another one when it
// has loaded the library. Then, until the
// request pipe is closed: one Request plus the elements of the inputs, answered by one Reply plus the whole
// buffers of the outputs, guard zones included. The length of every answer follows from its request, so any
// other length is a protocol error. Both ends run on one machine: no byte order, no alignment to translate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace protocol {

inline constexpr std::uint32_t kMagic = 0x4e545441;  // "ATTN"
inline constexpr std::uint32_t kVersion = 3;
inline constexpr int kRequestFd = 3;
inline constexpr int kReplyFd = 4;

inline constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 28;  // of one tensor, 1 GiB
inline constexpr std::uint64_t kMaxSparse = std::uint64_t{1} << 33;    // the same with kLastHead
inline constexpr std::uint64_t kMaxGuard = std::uint64_t{1} << 20;     // floats on each side

// Grad stands for the d of dO; Delta, GradP and GradS are what attention_backward_stages tells.
enum Tensor {
  kQ,
  kK,
  kV,
  kO,
  kLSE,
  kGradO,
  kGradQ,
  kGradK,
  kGradV,
  kDelta,
  kGradP,
  kGradS,
  kTensors
};

inline constexpr const char* tensor_name(int tensor) {
  constexpr const char* kNames[kTensors] = {"Q",  "K",  "V",  "O",     "LSE", "dO",
                                            "dQ", "dK", "dV", "delta", "dP",  "dS"};
  return kNames[tensor];
}

// The functions of kernels/attention.h.
enum class Operation : std::uint32_t { kForward, kBackward, kStages };
inline constexpr int kOperations = 3;

inline constexpr const char* function_name(Operation operation) {
  constexpr const char* kNames[kOperations] = {
      "attention_forward", "attention_backward", "attention_backward_stages"};
  return kNames[static_cast<std::uint32_t>(operation)];
}

inline constexpr bool is_input(Operation operation, int tensor) {
  if (operation == Operation::kForward) return tensor <= kV;
  return tensor <= kGradO;
}

inline constexpr bool is_output(Operation operation, int tensor) {
  switch (operation) {
    case Operation::kForward:
      return tensor == kO || tensor == kLSE;
    case Operation::kBackward:
      return tensor >= kGradQ && tensor <= kGradV;
    case Operation::kStages:
      return tensor >= kDelta;
  }
  return false;
}

// Every buffer is [guard][tensor][guard]. Guards, and outputs before the call, hold signalling NaNs that name
// the tensor. A value copied from outside an input stays exactly this NaN; on x86 one that was computed from it
// has the quiet bit set as well and still names the tensor. An output that was never written keeps the pattern.
inline constexpr std::uint32_t kQuietBit = 0x00400000;
inline constexpr std::uint32_t filler_bits(int tensor) {
  return 0x7fa5c300u + static_cast<std::uint32_t>(tensor);
}

enum RequestFlag : std::uint32_t {
  kCausal = 1,
  kDryRun = 2,        // count memory and launches, allocate and run nothing; no payload either way
  kSampleBlocks = 4,  // run only the last blocks of each launch (CPU device)
  kCount = 8,         // count what the kernels do (CPU device, a library built with cucc --check)
  kBare = 16,  // leave outputs, guards and what an offset skips uninitialised: for the checked mode
  kLastHead =
      32,  // all heads but the last hold no value, and only it goes back and forth; no guards
};

enum class Schedule : std::uint32_t { kForward, kReverse, kRandom };

struct Request {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t sequence;  // comes back in the reply
  std::int32_t batch, num_heads, num_heads_kv, seq_len_q, seq_len_k, head_dim;
  float softmax_scale;
  Operation operation;
  std::uint32_t flags;      // of RequestFlag
  std::uint32_t null_mask;  // bit t: pass tensor t as a null pointer
  Schedule schedule;
  std::uint64_t schedule_seed;
  std::uint64_t elements[kTensors];       // of each tensor, 0 or more; 0 if it plays no part
  std::uint32_t offset_floats[kTensors];  // moves the tensor off its alignment, 0 to 64 floats
  std::uint32_t guard_floats;             // on each side of every tensor
  std::uint64_t payload_bytes;            // that follow this header
};

// What the kernels of one call did to a piece of global memory. Bytes are those that the threads asked for.
struct Accesses {
  std::uint64_t bytes;
  std::uint64_t bytes_16;  // of these, in accesses of 16 bytes
  std::uint64_t sectors;   // of 32 bytes
  std::uint64_t requests;  // instructions of one warp
};

struct Traffic {
  Accesses loads, stores, atomics;
};

struct Counts {
  Traffic tensor[kTensors];  // buffers, guards included
  Traffic other;             // the rest of global memory: what the library has allocated
  std::uint64_t shared_load_bytes, shared_store_bytes;
  std::uint64_t shared_load_wavefronts, shared_store_wavefronts;
  std::uint64_t barriers, shuffles, exp_calls, launches;
};

enum class Status : std::uint32_t {
  kDone,         // the launcher was called
  kSetupFailed,  // the runner could not allocate or fill its own tensors
};

struct Reply {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t sequence;
  Status status;
  std::int32_t returned;             // what the launcher returned
  std::int32_t launch_failed;        // the first error that a launch call gave, 0 if none
  std::int32_t last_error;           // cudaGetLastError() right after the call
  std::int32_t sync_error;           // of cudaDeviceSynchronize() after that
  std::uint32_t outputs_read;        // 1 if the outputs could be copied back
  std::uint64_t launches;            // kernels that the launcher launched
  std::uint64_t launches_elsewhere;  // of those, on another stream than the one it was given
  std::uint64_t fills_elsewhere;     // likewise, fills and asynchronous copies
  std::uint64_t device_syncs;        // cudaDeviceSynchronize() calls by the launcher
  std::uint64_t unjoined;            // 1: nothing waits for the last work that went elsewhere
  std::uint64_t stream_waits;  // calls by the launcher that order a stream behind something else
  std::uint64_t grid_blocks;   // of the largest launch
  std::uint32_t grid[3], block[3];  // of the first launch that failed, else of the last one
  std::uint64_t shared_bytes;
  std::uint64_t sampled_first;  // first block that ran of a sampled launch
  std::uint64_t sampled_count;  // 0: too few blocks to sample, nothing ran
  std::uint64_t allocations;
  std::uint64_t frees;
  std::uint64_t peak_bytes;            // most bytes that the library held at a time during the call
  std::uint64_t held_bytes;            // bytes that the library still holds after it
  std::uint64_t static_bytes;          // __device__ and __constant__ variables of the library
  std::uint64_t failed_bytes;          // size of the first allocation that failed, 0 if none
  std::uint64_t elapsed_ns;            // call and synchronisation
  std::uint64_t input_hash[kTensors];  // of the buffers of the inputs after the call, with guards
  std::uint64_t counted;               // 1 if the device has counted
  Counts counts;
  char returned_text[96];  // name and description of the error codes above
  char launch_failed_text[96];
  char last_error_text[96];
  char sync_error_text[96];
  char report[4096];            // what the device has to say about a fault, "" if nothing
  std::uint64_t payload_bytes;  // that follow this header
};

enum class LoadStatus : std::uint32_t {
  kStarting,  // the runner is up and has not touched the library yet
  kReady,
  kNotLoadable,   // dlopen failed
  kNoEntryPoint,  // none of the functions in it
  kNoDevice,      // no GPU answers
};

struct Hello {
  std::uint32_t magic;
  std::uint32_t version;
  LoadStatus status;
  std::uint32_t functions;  // bit of each Operation that the library has
  char text[512];
};

inline constexpr std::uint64_t buffer_floats(const Request& request, int tensor) {
  return 2 * std::uint64_t{request.guard_floats} + request.offset_floats[tensor] +
         request.elements[tensor];
}

// Elements of a tensor that have a value: all, or those of the last head.
inline constexpr std::uint64_t valued_elements(const Request& request, int tensor) {
  if (!(request.flags & kLastHead)) return request.elements[tensor];
  const auto heads = static_cast<std::int64_t>(request.batch) * request.num_heads;
  return heads > 0 ? request.elements[tensor] / static_cast<std::uint64_t>(heads) : 0;
}

// Bytes that follow a request: the elements of the inputs.
inline constexpr std::uint64_t request_payload(const Request& request) {
  if (request.flags & kDryRun) return 0;
  std::uint64_t floats = 0;
  for (int t = 0; t < kTensors; ++t)
    if (is_input(request.operation, t)) floats += valued_elements(request, t);
  return sizeof(float) * floats;
}

// Floats of an output that go back: its whole buffer, or its last head.
inline constexpr std::uint64_t reply_floats(const Request& request, int tensor) {
  return request.flags & kLastHead ? valued_elements(request, tensor)
                                   : buffer_floats(request, tensor);
}

// Floats of the outputs that go back before this one.
inline constexpr std::uint64_t reply_floats_before(const Request& request, int tensor) {
  std::uint64_t floats = 0;
  for (int t = 0; t < tensor; ++t)
    if (is_output(request.operation, t)) floats += reply_floats(request, t);
  return floats;
}

// Bytes that follow its reply: the outputs.
inline constexpr std::uint64_t reply_payload(const Request& request) {
  return request.flags & kDryRun ? 0 : sizeof(float) * reply_floats_before(request, kTensors);
}

// Lays out one buffer: guards, offset and, for an input, its elements (null for none). The rest is filler.
inline void fill_buffer(const Request& request, int tensor, const float* elements, float* buffer) {
  const std::uint32_t filler = filler_bits(tensor);
  const std::uint64_t first = std::uint64_t{request.guard_floats} + request.offset_floats[tensor];
  const std::uint64_t count = request.elements[tensor];
  const std::uint64_t total = buffer_floats(request, tensor);
  for (std::uint64_t n = 0; n < total; ++n) std::memcpy(buffer + n, &filler, sizeof(filler));
  if (elements != nullptr && count > 0)
    std::memcpy(buffer + first, elements, count * sizeof(float));
}

// A 64-bit hash of a buffer of floats: tells whether it was changed, nothing more.
inline std::uint64_t hash_floats(const float* data, std::uint64_t count) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::uint64_t n = 0; n < count; ++n) {
    std::uint32_t bits;
    std::memcpy(&bits, data + n, sizeof(bits));
    hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace protocol
