// extern __shared__ in its common forms: at namespace scope, in two kernels with different types,
// in a device function, and several arrays carved out of one buffer beside static arrays.
#include <cuda_runtime.h>

#include <cstdint>

#include "check.h"

extern __shared__ int scratch[];  // namespace scope, used by two kernels

__global__ void reverse(int* data) {
  scratch[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = scratch[blockDim.x - 1 - threadIdx.x];
}

__device__ int first_of_scratch() { return scratch[0]; }

__global__ void broadcast(int* data) {
  if (threadIdx.x == 5) scratch[0] = data[5];
  __syncthreads();
  data[threadIdx.x] = first_of_scratch();
}

__global__ void carve(double* sums, int n) {
  extern __shared__ double doubles[];                    // [n]
  float* floats = (float*)&doubles[n];                   // [n]
  short* shorts = reinterpret_cast<short*>(floats + n);  // [n]
  __shared__ float factor;                               // static, beside the dynamic buffer
  const int i = threadIdx.x;
  doubles[i] = i + 0.25;
  floats[i] = 2.0f * i;
  shorts[i] = static_cast<short>(-i);
  if (i == 0) factor = 3.0f;
  __syncthreads();
  const int j = n - 1 - i;
  sums[i] = doubles[j] + factor * floats[j] + shorts[j];
}

__global__ void aligned(float4* out) {
  extern __shared__ __align__(16) unsigned char bytes[];
  float4* vectors = reinterpret_cast<float4*>(bytes);
  const float i = threadIdx.x;
  vectors[threadIdx.x] = make_float4(i, i + 1, i + 2, i + 3);
  __syncthreads();
  out[threadIdx.x] = vectors[blockDim.x - 1 - threadIdx.x];
}

__global__ void same_address(unsigned long long* out) {
  extern __shared__ char start[];
  out[0] = reinterpret_cast<uintptr_t>(start) - reinterpret_cast<uintptr_t>(scratch);
  out[1] = reinterpret_cast<uintptr_t>(start) % 16;
}

int main() {
  const int n = 96;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = 7 * i;
  int* d_data = upload(in);
  reverse<<<1, n, n * sizeof(int)>>>(d_data);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_data, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], 7 * (n - 1 - i));
  broadcast<<<1, n, sizeof(int)>>>(d_data);
  CHECK_LAUNCH();
  for (int x : download(d_data, n)) CHECK_EQ(x, 7 * (n - 1 - 5));

  double* d_sums = upload(std::vector<double>(n, -1));
  carve<<<1, n, n*(sizeof(double) + sizeof(float) + sizeof(short))>>>(d_sums, n);
  CHECK_LAUNCH();
  std::vector<double> sums = download(d_sums, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(sums[i], (n - 1 - i) * 6.0 + 0.25);

  float4* d_vectors = upload(std::vector<float4>(n));
  aligned<<<1, n, n * sizeof(float4)>>>(d_vectors);
  CHECK_LAUNCH();
  std::vector<float4> vectors = download(d_vectors, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(vectors[i].x + vectors[i].w, 2.0f * (n - 1 - i) + 3);

  unsigned long long* d_address = upload(std::vector<unsigned long long>(2, 1));
  same_address<<<1, 1, 64>>>(d_address);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_address, 2)[0], 0u);  // every extern array is the same buffer
  CHECK_EQ(download(d_address, 2)[1], 0u);
  CHECK_CUDA(cudaFree(d_data));
  CHECK_CUDA(cudaFree(d_sums));
  CHECK_CUDA(cudaFree(d_vectors));
  CHECK_CUDA(cudaFree(d_address));
  return check_result();
}
