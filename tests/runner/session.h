// Serves one request: lays out the tensors, calls the student's launcher, reports what happened.
#pragma once

#include <cuda_runtime.h>

#include <vector>

#include "kernels/attention.h"
#include "protocol.h"

namespace runner {

// The functions of a library; null where it has none.
struct EntryPoints {
  decltype(&attention_forward) forward = nullptr;
  decltype(&attention_backward) backward = nullptr;
  decltype(&attention_backward_stages) stages = nullptr;
};

// What goes back to the judge.
struct Answer {
  protocol::Reply reply{};
  std::vector<float> outputs;  // the whole buffers of the outputs
};

class Session {
 public:
  explicit Session(const EntryPoints& entry_points) : entry_points_(entry_points) {}

  // inputs holds the elements of the inputs, one after the other. The library has the function that is asked for.
  Answer serve(const protocol::Request& request, const std::vector<float>& inputs);

 private:
  // Device addresses of one request's buffers, and of the tensors inside them.
  struct Buffers {
    void* base[protocol::kTensors] = {};
    float* tensor[protocol::kTensors] = {};
  };

  bool allocate(
      const protocol::Request& request, const std::vector<float>& inputs, Buffers* buffers);
  void call(const protocol::Request& request, const Buffers& buffers, Answer* answer);
  cudaError_t launch(const protocol::Request& request, const Buffers& buffers);
  void read_back(const protocol::Request& request, const Buffers& buffers, Answer* answer);
  static void release(Buffers* buffers);

  EntryPoints entry_points_;
  cudaStream_t stream_ = nullptr;
  Buffers previous_;  // freed only after the next request has its own, so that no address repeats
};

}  // namespace runner
