#include "session.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>

#include "device.h"
#include "meter.h"

namespace runner {
namespace {

using protocol::Reply;
using protocol::Request;

template <std::size_t kSize>
void describe(int error, char (&text)[kSize]) {
  const auto code = static_cast<cudaError_t>(error);
  std::snprintf(text, kSize, "%s: %s", cudaGetErrorName(code), cudaGetErrorString(code));
}

AttentionShape shape_of(const Request& request) {
  return {request.batch,     request.num_heads, request.num_heads_kv,
          request.seq_len_q, request.seq_len_k, request.head_dim};
}

// Gives a buffer at base the values that it has before the call; elements are those of an input.
bool upload(const Request& request, int tensor, const float* elements, float* base) {
  const bool is_input = protocol::is_input(request.operation, tensor);
  const std::uint64_t total = protocol::buffer_floats(request, tensor);
  std::vector<float> staged;
  std::uint64_t first = 0;
  if (request.flags & protocol::kLastHead) {
    staged.assign(
        protocol::valued_elements(request, tensor),
        std::bit_cast<float>(protocol::filler_bits(tensor)));
    if (is_input) std::copy_n(elements, staged.size(), staged.begin());
    first = total - staged.size();
  } else if (request.flags & protocol::kBare) {
    staged.assign(elements, elements + (is_input ? request.elements[tensor] : 0));
    first = request.guard_floats + request.offset_floats[tensor];
  } else {
    staged.resize(total);
    protocol::fill_buffer(request, tensor, is_input ? elements : nullptr, staged.data());
  }
  return staged.empty() || cudaMemcpy(
                               base + first, staged.data(), staged.size() * sizeof(float),
                               cudaMemcpyHostToDevice) == cudaSuccess;
}

}  // namespace

Answer Session::serve(const Request& request, const std::vector<float>& inputs) {
  Answer answer;
  Reply& reply = answer.reply;
  reply.magic = protocol::kMagic;
  reply.version = protocol::kVersion;
  reply.sequence = request.sequence;
  reply.payload_bytes = protocol::reply_payload(request);
  answer.outputs.resize(reply.payload_bytes / sizeof(float));

  Buffers buffers;
  if (allocate(request, inputs, &buffers)) {
    call(request, buffers, &answer);
    read_back(request, buffers, &answer);
  } else {
    const Bypass own;
    reply.status = protocol::Status::kSetupFailed;
    reply.last_error = cudaGetLastError();
    describe(reply.last_error, reply.last_error_text);
  }
  std::snprintf(reply.report, sizeof(reply.report), "%s", device_report());
  release(&previous_);
  previous_ = buffers;
  return answer;
}

bool Session::allocate(const Request& request, const std::vector<float>& inputs, Buffers* buffers) {
  const Bypass own;
  // Work on a non-blocking stream does not wait for work on the default stream, nor the other way round.
  if (stream_ == nullptr &&
      cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) != cudaSuccess)
    return false;
  const bool dry_run = request.flags & protocol::kDryRun;
  const float* elements = inputs.data();
  for (int t = 0; t < protocol::kTensors; ++t) {
    const bool is_input = protocol::is_input(request.operation, t);
    if (!is_input && !protocol::is_output(request.operation, t)) continue;
    const std::uint64_t floats = protocol::buffer_floats(request, t);
    if (floats == 0) continue;
    if (dry_run) {
      buffers->base[t] = Meter::instance().reserve(floats * sizeof(float), false);
      Meter::instance().allocated(buffers->base[t], 0);
    } else {
      if (cudaMalloc(&buffers->base[t], floats * sizeof(float)) != cudaSuccess) return false;
      if (!upload(request, t, elements, static_cast<float*>(buffers->base[t]))) return false;
      if (is_input) elements += protocol::valued_elements(request, t);
    }
    if (buffers->base[t] == nullptr) return false;
    if (!(request.null_mask & (1u << t)))
      buffers->tensor[t] =
          static_cast<float*>(buffers->base[t]) + request.guard_floats + request.offset_floats[t];
  }
  device_set_schedule(request.schedule, request.schedule_seed);
  return cudaDeviceSynchronize() == cudaSuccess;
}

cudaError_t Session::launch(const Request& request, const Buffers& buffers) {
  using namespace protocol;
  float* const* const t = buffers.tensor;
  const AttentionShape shape = shape_of(request);
  const float scale = request.softmax_scale;
  const bool causal = request.flags & kCausal;
  switch (request.operation) {
    case Operation::kForward:
      return entry_points_.forward(
          t[kQ], t[kK], t[kV], t[kO], t[kLSE], shape, scale, causal, stream_);
    case Operation::kBackward:
      return entry_points_.backward(
          t[kQ], t[kK], t[kV], t[kO], t[kLSE], t[kGradO], t[kGradQ], t[kGradK], t[kGradV], shape,
          scale, causal, stream_);
    case Operation::kStages:
      return entry_points_.stages(
          t[kQ], t[kK], t[kV], t[kO], t[kLSE], t[kGradO], t[kDelta], t[kGradP], t[kGradS], shape,
          scale, causal, stream_);
  }
  return cudaErrorInvalidValue;
}

void Session::call(const Request& request, const Buffers& buffers, Answer* answer) {
  Meter& meter = Meter::instance();
  Reply& reply = answer->reply;
  meter.begin_call(
      stream_, request.flags & protocol::kDryRun, request.flags & protocol::kSampleBlocks);
  const bool count = request.flags & protocol::kCount;
  if (count) device_begin_counting();
  const auto start = std::chrono::steady_clock::now();
  reply.returned = launch(request, buffers);
  const Bypass own;
  const CallCounts counts = meter.end_call();
  reply.last_error = cudaGetLastError();
  reply.sync_error = cudaDeviceSynchronize();
  const auto end = std::chrono::steady_clock::now();
  device_sample_blocks(0, 0);
  if (count) reply.counted = device_end_counting(buffers.base, &reply.counts);

  reply.elapsed_ns = std::chrono::nanoseconds(end - start).count();
  reply.launch_failed = counts.launch_failed;
  reply.launches = counts.launches;
  reply.launches_elsewhere = counts.launches_elsewhere;
  reply.fills_elsewhere = counts.fills_elsewhere;
  reply.device_syncs = counts.device_syncs;
  reply.unjoined = counts.unjoined ? 1 : 0;
  reply.stream_waits = counts.stream_waits;
  reply.grid_blocks = counts.grid_blocks;
  std::copy_n(counts.shape.grid, 3, reply.grid);
  std::copy_n(counts.shape.block, 3, reply.block);
  reply.shared_bytes = counts.shape.shared_bytes;
  reply.sampled_first = counts.sampled_first;
  reply.sampled_count = counts.sampled_count;
  reply.allocations = counts.allocations;
  reply.frees = counts.frees;
  reply.peak_bytes = counts.peak_bytes;
  reply.failed_bytes = counts.failed_bytes;
  reply.held_bytes = meter.held_bytes();
  reply.static_bytes = device_static_bytes();
  describe(reply.returned, reply.returned_text);
  describe(reply.launch_failed, reply.launch_failed_text);
  describe(reply.last_error, reply.last_error_text);
  describe(reply.sync_error, reply.sync_error_text);
}

void Session::read_back(const Request& request, const Buffers& buffers, Answer* answer) {
  if (request.flags & protocol::kDryRun) return;
  const Bypass own;
  // The end of a buffer.
  const auto read = [&](int tensor, float* to, std::uint64_t floats) {
    const float* const end =
        static_cast<const float*>(buffers.base[tensor]) + protocol::buffer_floats(request, tensor);
    return floats == 0 ||
           cudaMemcpy(to, end - floats, floats * sizeof(float), cudaMemcpyDeviceToHost) ==
               cudaSuccess;
  };
  bool all_read = true;
  float* output = answer->outputs.data();
  std::vector<float> input;
  const bool whole = !(request.flags & protocol::kLastHead);
  for (int t = 0; t < protocol::kTensors && all_read; ++t) {
    if (protocol::is_output(request.operation, t)) {
      const std::uint64_t floats = protocol::reply_floats(request, t);
      all_read = read(t, output, floats);
      output += floats;
    } else if (whole && protocol::is_input(request.operation, t)) {
      input.resize(protocol::buffer_floats(request, t));
      all_read = read(t, input.data(), input.size());
      answer->reply.input_hash[t] = protocol::hash_floats(input.data(), input.size());
    }
  }
  answer->reply.outputs_read = all_read;
  cudaGetLastError();
}

void Session::release(Buffers* buffers) {
  const Bypass own;
  for (void*& base : buffers->base) {
    if (base != nullptr && !Meter::instance().freed(base)) cudaFree(base);
    base = nullptr;
  }
  cudaGetLastError();
}

}  // namespace runner
