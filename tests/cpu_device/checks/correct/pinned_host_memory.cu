// A kernel reads and writes pinned host memory; the host fills it and looks at it directly.
#include "../device_vector.h"

__global__ void reverse(const int* in, int* out) { out[threadIdx.x] = in[31 - threadIdx.x]; }

int main() {
  int *in = nullptr, *out = nullptr, *d_out = nullptr;
  CHECK_CUDA(cudaMallocHost(reinterpret_cast<void**>(&in), 32 * sizeof(int)));
  CHECK_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&out), 32 * sizeof(int), cudaHostAllocMapped));
  CHECK_CUDA(cudaHostGetDevicePointer(reinterpret_cast<void**>(&d_out), out, 0));
  for (int i = 0; i < 32; ++i) in[i] = i * i;
  reverse<<<1, 32>>>(in, d_out);
  CHECK_LAUNCH();
  for (int i = 0; i < 32; ++i) CHECK_EQ(out[i], (31 - i) * (31 - i));
  CHECK_CUDA(cudaFreeHost(in));
  CHECK_CUDA(cudaFreeHost(out));
  return check_result();
}
