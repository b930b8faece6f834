// Calls attention_forward on shapes that are ragged, unaligned, causal, grouped in heads, or empty, and frees all memory:
// a program for tools that watch a GPU. Which values come out, it does not look at.
//
//   nvcc -lineinfo -I kernels tests/lessons/run_forward.cu solutions/03_online_softmax.cu -o forward
//   compute-sanitizer --tool memcheck --leak-check full ./forward
//
// Exit status: 0, or 1 if a call failed; what a lesson does not support is no failure.
#include <cstdio>
#include <vector>

#include "attention.h"

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
    {{1, 2, 2, 130, 40, 32}, true, 1},
};

// A tensor of ones on the device that ends where its memory ends.
class Tensor {
 public:
  Tensor(size_t count, int offset) : offset_(offset) {
    const std::vector<float> ones(count + offset, 1.0f);
    if (!ones.empty() && cudaMalloc(&data_, ones.size() * sizeof(float)) == cudaSuccess)
      cudaMemcpy(data_, ones.data(), ones.size() * sizeof(float), cudaMemcpyHostToDevice);
  }
  ~Tensor() { cudaFree(data_); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  float* get() const { return data_ == nullptr ? nullptr : data_ + offset_; }

 private:
  float* data_ = nullptr;
  int offset_;
};

bool run(const Problem& problem) {
  const AttentionShape& s = problem.shape;
  const size_t q_rows = size_t(s.batch) * s.num_heads * s.seq_len_q;
  const size_t k_rows = size_t(s.batch) * s.num_heads_kv * s.seq_len_k;
  const Tensor Q(q_rows * s.head_dim, problem.offset), K(k_rows * s.head_dim, problem.offset);
  const Tensor V(k_rows * s.head_dim, problem.offset), O(q_rows * s.head_dim, problem.offset);
  const Tensor LSE(q_rows, problem.offset);
  cudaStream_t stream = nullptr;
  if (cudaStreamCreate(&stream) != cudaSuccess) return false;
  cudaError_t error = attention_forward(
      Q.get(), K.get(), V.get(), O.get(), LSE.get(), s, 0.125f, problem.causal, stream);
  if (error == cudaErrorNotSupported) error = cudaSuccess;
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  if (error == cudaSuccess) return true;
  std::printf(
      "N_q=%d N_k=%d d=%d: %s\n", s.seq_len_q, s.seq_len_k, s.head_dim, cudaGetErrorString(error));
  return false;
}

}  // namespace

int main() {
  bool good = true;
  for (const Problem& problem : kProblems) good = run(problem) && good;
  cudaDeviceReset();
  return good ? 0 : 1;
}
