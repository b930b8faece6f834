// Serves one request: lays out the tensors, calls the student's launcher, reports what happened.
#pragma once

#include <cuda_runtime.h>

#include <vector>

#include "kernels/attention.h"
#include "protocol.h"

namespace runner {

using AttentionForward = decltype(&attention_forward);

// What goes back to the judge.
struct Answer {
  protocol::Reply reply{};
  std::vector<float> outputs;  // the whole buffers of O and LSE
};

class Session {
 public:
  explicit Session(AttentionForward forward) : forward_(forward) {}

  // inputs holds the elements of Q, K and V, one after the other.
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
  void read_back(const protocol::Request& request, const Buffers& buffers, Answer* answer);
  static void release(Buffers* buffers);

  AttentionForward forward_;
  cudaStream_t stream_ = nullptr;
  Buffers previous_;  // freed only after the next request has its own, so that no address repeats
};

}  // namespace runner
