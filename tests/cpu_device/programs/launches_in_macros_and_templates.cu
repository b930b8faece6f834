// Launches written inside macros, function templates, member functions, lambdas, loops without
// braces and conditions; wherever a statement may stand, a launch may.
#include <cuda_runtime.h>

#include "check.h"

__global__ void set(int* out, int value) { out[blockIdx.x] = value; }

template <int N, typename T>
__global__ void set_n(T* out) {
  out[blockIdx.x] = N;
}

#define LAUNCH(kernel, grid, block, ...) kernel<<<(grid), (block)>>>(__VA_ARGS__)
#define LAUNCH_AND_CHECK(kernel, ...) \
  do {                                \
    kernel<<<1, 1>>>(__VA_ARGS__);    \
    CHECK_CUDA(cudaGetLastError());   \
  } while (0)
#define CONFIG 2, dim3(1), 0, 0
#define DISPATCH(value, NAME, ...) \
  switch (value) {                 \
    case 16: {                     \
      constexpr int NAME = 16;     \
      __VA_ARGS__;                 \
      break;                       \
    }                              \
    default: {                     \
      constexpr int NAME = 32;     \
      __VA_ARGS__;                 \
    }                              \
  }

template <typename T>
void launch_template(T* out, int which) {
  if (which == 0)
    set_n<5, T><<<1, 1>>>(out);
  else
    set_n<6, T><<<1, 1>>>(out);
}

template <typename T>
struct Launcher {
  T* out;
  template <int N>
  void run(dim3 grid) const {
    set_n<N><<<grid, 1>>>(out);
  }
  static constexpr int kValue = 9;
  void run_member() { set_n<kValue, T><<<1, 1, 0, nullptr>>>(this->out); }
};

int main() {
  int* d_out = upload(std::vector<int>(20, -1));
  LAUNCH(set, 1, 1, d_out, 1);
  LAUNCH_AND_CHECK(set, d_out + 1, 2);
  set<<<CONFIG>>>(d_out + 2, 3);
  launch_template(d_out + 4, 0);
  launch_template(d_out + 5, 1);
  Launcher<int>{d_out + 6}.run<7>(2);
  Launcher<int>{d_out + 8}.run_member();
  DISPATCH(16, kN, set_n<kN><<<1, 1>>>(d_out + 9));
  DISPATCH(20, kN, (set_n<kN, int><<<1, 1>>>(d_out + 10)));
  auto lambda = [&](int at) { set<<<1, 1>>>(d_out + at, 100 + at); };
  lambda(11);
  for (int i = 12; i < 14; ++i) set<<<1, 1>>>(d_out + i, i);
  // clang-format off
  if (d_out) set<<<1, 1>>>(d_out + 14, 14); else set<<<1, 1>>>(d_out + 14, 15);
  true ? set<<<1, 1>>>(d_out + 15, 15) : set<<<1, 1>>>(d_out + 15, 16);
  int grid = 1; set<<<grid, 1>>>(d_out + 16, 16); set<<<grid, 1>>>(d_out + 17, 17);
  // clang-format on
  (void)0, set<<<1, 1>>>(d_out + 18, 18);
again:
  set<<<1, 1>>>(d_out + 19, grid++);
  if (grid < 3) goto again;
  CHECK_LAUNCH();
  const int expected[20] = {1, 2, 3, 3, 5, 6, 7, 7, 9, 16, 32, 111, 12, 13, 14, 15, 16, 17, 18, 2};
  std::vector<int> out = download(d_out, 20);
  for (int i = 0; i < 20; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
