// Calls attention_forward, or attention_backward and attention_backward_stages, whatever the file has, on shapes that
// are ragged, unaligned, causal, grouped in heads, or empty, and frees all memory: a program for tools that watch a GPU.
// Which values come out, it does not look at, but that a second backward pass gives the same bits.
//
//   nvcc -lineinfo -I kernels tests/lessons/run_solution.cu solutions/03_online_softmax.cu -o solution
//   compute-sanitizer --tool memcheck --leak-check full ./solution
//
// Exit status: 0, or 1 if a call failed; what a lesson does not support is no failure.
#include <cstdio>
#include <vector>

#include "attention.h"

// Null where the file has no such function.
extern "C" decltype(attention_forward) attention_forward __attribute__((weak));
extern "C" decltype(attention_backward) attention_backward __attribute__((weak));
extern "C" decltype(attention_backward_stages) attention_backward_stages __attribute__((weak));

namespace {

struct Problem {
  AttentionShape shape;
  bool causal;
  int offset;  // floats that every tensor misses an alignment of 256 bytes by
};

constexpr Problem kProblems[] = {
    {{1, 1, 1, 64, 64, 64}, false, 0},  {{1, 1, 1, 33, 33, 16}, false, 0},
    {{2, 3, 3, 70, 40, 8}, false, 0},   {{1, 2, 2, 130, 97, 128}, false, 0},
    {{1, 1, 1, 20, 70, 3}, false, 1},   {{1, 2, 2, 65, 129, 40}, false, 2},
    {{1, 1, 1, 1, 1, 1}, false, 0},     {{1, 3, 3, 257, 31, 59}, false, 3},
    {{1, 2, 2, 0, 16, 8}, false, 0},    {{1, 2, 2, 16, 0, 8}, false, 0},
    {{1, 2, 2, 100, 100, 64}, true, 0}, {{2, 1, 1, 40, 130, 37}, true, 0},
    {{1, 2, 2, 130, 40, 32}, true, 1},  {{1, 1, 1, 300, 200, 96}, true, 0},
    {{1, 6, 2, 50, 70, 32}, false, 0},  {{2, 4, 1, 70, 50, 37}, true, 1},
};

// A tensor of ones on the device that ends where its memory ends.
class Tensor {
 public:
  Tensor(size_t count, int offset) : count_(count), offset_(offset) {
    const std::vector<float> ones(count + offset, 1.0f);
    if (!ones.empty() && cudaMalloc(&data_, ones.size() * sizeof(float)) == cudaSuccess)
      cudaMemcpy(data_, ones.data(), ones.size() * sizeof(float), cudaMemcpyHostToDevice);
  }
  ~Tensor() { cudaFree(data_); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  float* get() const { return data_ == nullptr ? nullptr : data_ + offset_; }

  // Bytes of the tensor on the host.
  std::vector<unsigned char> bytes() const {
    std::vector<unsigned char> copy(data_ == nullptr ? 0 : count_ * sizeof(float));
    if (!copy.empty()) cudaMemcpy(copy.data(), get(), copy.size(), cudaMemcpyDeviceToHost);
    return copy;
  }

 private:
  float* data_ = nullptr;
  size_t count_;
  int offset_;
};

// A lesson need not have every feature.
cudaError_t supported(cudaError_t error) {
  return error == cudaErrorNotSupported ? cudaSuccess : error;
}

cudaError_t run_forward(const Problem& problem, cudaStream_t stream) {
  const auto& [s, causal, offset] = problem;
  const size_t q_rows = size_t(s.batch) * s.num_heads * s.seq_len_q;
  const size_t k_rows = size_t(s.batch) * s.num_heads_kv * s.seq_len_k;
  const Tensor Q(q_rows * s.head_dim, offset), K(k_rows * s.head_dim, offset);
  const Tensor V(k_rows * s.head_dim, offset), O(q_rows * s.head_dim, offset);
  const Tensor LSE(q_rows, offset);
  const cudaError_t error =
      attention_forward(Q.get(), K.get(), V.get(), O.get(), LSE.get(), s, 0.125f, causal, stream);
  return error != cudaSuccess ? supported(error) : cudaStreamSynchronize(stream);
}

cudaError_t run_backward(const Problem& problem, cudaStream_t stream) {
  const auto& [s, causal, offset] = problem;
  const size_t q_rows = size_t(s.batch) * s.num_heads * s.seq_len_q;
  const size_t k_rows = size_t(s.batch) * s.num_heads_kv * s.seq_len_k;
  const size_t q_floats = q_rows * s.head_dim, k_floats = k_rows * s.head_dim;
  const Tensor Q(q_floats, offset), K(k_floats, offset), V(k_floats, offset);
  const Tensor O(q_floats, offset), LSE(q_rows, offset), dO(q_floats, offset);
  std::vector<unsigned char> first;
  for (int n = 0; n < 2; ++n) {
    const Tensor dQ(q_floats, offset), dK(k_floats, offset), dV(k_floats, offset);
    const cudaError_t error = attention_backward(
        Q.get(), K.get(), V.get(), O.get(), LSE.get(), dO.get(), dQ.get(), dK.get(), dV.get(), s,
        0.125f, causal, stream);
    if (error != cudaSuccess) return supported(error);
    const cudaError_t done = cudaStreamSynchronize(stream);
    if (done != cudaSuccess) return done;
    std::vector<unsigned char> bits;
    for (const Tensor* gradient : {&dQ, &dK, &dV}) {
      const std::vector<unsigned char> part = gradient->bytes();
      bits.insert(bits.end(), part.begin(), part.end());
    }
    if (n == 1 && bits != first) {
      std::printf("a second backward pass gives other bits\n");
      return cudaErrorUnknown;
    }
    first = bits;
  }
  if (attention_backward_stages == nullptr) return cudaSuccess;
  const size_t pairs = q_rows * s.seq_len_k;
  const Tensor delta(q_rows, offset), dP(pairs, offset), dS(pairs, offset);
  const cudaError_t error = attention_backward_stages(
      Q.get(), K.get(), V.get(), O.get(), LSE.get(), dO.get(), delta.get(), dP.get(), dS.get(), s,
      0.125f, causal, stream);
  return error != cudaSuccess ? supported(error) : cudaStreamSynchronize(stream);
}

bool run(const Problem& problem) {
  cudaStream_t stream = nullptr;
  if (cudaStreamCreate(&stream) != cudaSuccess) return false;
  cudaError_t error = cudaSuccess;
  if (attention_forward != nullptr) error = run_forward(problem, stream);
  if (error == cudaSuccess && attention_backward != nullptr) error = run_backward(problem, stream);
  cudaStreamDestroy(stream);
  if (error == cudaSuccess) return true;
  const AttentionShape& s = problem.shape;
  std::printf(
      "N_q=%d N_k=%d d=%d: %s\n", s.seq_len_q, s.seq_len_k, s.head_dim, cudaGetErrorString(error));
  return false;
}

}  // namespace

int main() {
  bool good = attention_forward != nullptr || attention_backward != nullptr;
  for (const Problem& problem : kProblems) good = run(problem) && good;
  cudaDeviceReset();
  return good ? 0 : 1;
}
