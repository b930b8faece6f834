// Orders and combinations of __device__, __constant__, static, const and constexpr on variables,
// in namespaces, with braces, expressions and several names, used through references and pointers.
// The checked mode does not know templates of variables:
// allow: error global-out-of-bounds [T]
#include <cuda_runtime.h>

#include "check.h"

struct Point {
  int x, y;
};

// clang-format off
__device__ int plain, pair_first = 2, pair_second = 3;
static __device__ int static_first = 4;
__device__ static int static_second = 5;
int __device__ type_first = 6;
__device__ const int constant_value = 7;
const __device__ float constant_array[] = {0.5f, 1.5f};
__constant__ const int constant_const = 8;
__device__ __constant__ int both = 9;
static __constant__ __device__ int both_static = 10;
__device__ constexpr int kCompileTime = 11;
__constant__ constexpr int kTable[3] = {12, 13, 14};
__device__ Point point{15, 16};
__device__ Point points[2] = {{17, 18}, {19, 20}};
__device__ volatile int polled = 21;
__device__ unsigned long long int many_words = 22;
__device__ int matrix[2][3] = {{1, 2, 3}, {4, 5, 6}};
__device__ int (*pointer_to_row)[3] = &matrix[1];
__device__ int* pointer_to_int = &pair_second;
__device__ __align__(16) float aligned[4] = {1, 2, 3, 4};
// clang-format on

namespace outer {
__device__ int value = 23;
namespace {
__device__ int hidden = 24;
}
struct Limits {
  static constexpr int kBest = 25;
  enum { kWorst = 26 };
};
}  // namespace outer

template <typename T>
__device__ T variable_template = T(27);

__global__ void read(int* out) {
  plain += 1;
  int k = 0;
  out[k++] = plain;
  out[k++] = pair_first;
  out[k++] = pair_second;
  out[k++] = static_first;
  out[k++] = static_second;
  out[k++] = type_first;
  out[k++] = constant_value;
  out[k++] = static_cast<int>(constant_array[1] * 2);
  out[k++] = constant_const;
  out[k++] = both;
  out[k++] = both_static;
  out[k++] = kCompileTime;
  out[k++] = kTable[0] + kTable[threadIdx.x + 2];
  out[k++] = point.y;
  out[k++] = points[1].x;
  out[k++] = polled;
  out[k++] = static_cast<int>(many_words);
  out[k++] = (*pointer_to_row)[2];
  out[k++] = *pointer_to_int;
  out[k++] = static_cast<int>(reinterpret_cast<float4*>(aligned)->w);
  out[k++] = outer::value;
  out[k++] = outer::hidden;
  out[k++] = outer::Limits::kBest + outer::Limits::kWorst;
  out[k++] = variable_template<int>;  // [T]
}

int main() {
  const int expected[] = {1,  2,  3,  4,  5,  6, 7, 3, 8,  9,  10, 11,
                          26, 16, 19, 21, 22, 6, 3, 4, 23, 24, 51, 27};
  const int n = sizeof(expected) / sizeof(expected[0]);
  int* d_out = upload(std::vector<int>(n, -1));
  read<<<1, 1>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], expected[i]);
  // The constants are the host's too where the language says so.
  CHECK_EQ(kCompileTime + outer::Limits::kBest, 36);
  const int forty = 40;
  CHECK_CUDA(cudaMemcpyToSymbol(outer::value, &forty, sizeof(int)));
  CHECK_CUDA(cudaMemcpyToSymbol(matrix, &forty, sizeof(int), 5 * sizeof(int)));
  CHECK_CUDA(cudaMemcpyToSymbol(both, &forty, sizeof(int)));
  read<<<1, 1>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, n);
  CHECK_EQ(out[0], 2);
  CHECK_EQ(out[9], 40);
  CHECK_EQ(out[17], 40);
  CHECK_EQ(out[20], 40);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
