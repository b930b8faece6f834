// Shuffles of every type that CUDA overloads; 64-bit values that lose their upper half, or floats
// that pass through an integer conversion, come out wrong.
#include <cuda_runtime.h>

#include "check.h"

template <typename T>
__host__ __device__ T value_of(int lane) {
  return static_cast<T>(lane) * static_cast<T>(1234567891);
}

template <typename T>
__global__ void shuffle(T* out) {
  const int lane = threadIdx.x;
  const T value = value_of<T>(lane);
  out[0 * 32 + lane] = __shfl_sync(0xffffffff, value, lane + 1);
  out[1 * 32 + lane] = __shfl_up_sync(0xffffffff, value, 3u);
  out[2 * 32 + lane] = __shfl_down_sync(0xffffffff, value, 5u, 16);
  out[3 * 32 + lane] = __shfl_xor_sync(0xffffffff, value, 9);
}

template <typename T>
void run() {
  T* d_out = upload(std::vector<T>(4 * 32));
  shuffle<T><<<1, 32>>>(d_out);
  CHECK_LAUNCH();
  std::vector<T> out = download(d_out, 4 * 32);
  for (int lane = 0; lane < 32; ++lane) {
    CHECK_EQ(out[lane], value_of<T>((lane + 1) % 32));
    CHECK_EQ(out[32 + lane], value_of<T>(lane < 3 ? lane : lane - 3));
    CHECK_EQ(out[64 + lane], value_of<T>(lane % 16 + 5 < 16 ? lane + 5 : lane));
    CHECK_EQ(out[96 + lane], value_of<T>(lane ^ 9));
  }
  CHECK_CUDA(cudaFree(d_out));
}

int main() {
  run<unsigned int>();
  run<long long>();
  run<unsigned long long>();
  run<long>();
  run<unsigned long>();
  run<float>();
  run<double>();
  return check_result();
}
