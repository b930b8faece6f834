// More than 48 KiB of dynamic shared memory is refused until cudaFuncSetAttribute allows it, per
// kernel; a refused launch must not run and must leave everything else usable.
#include <cuda_runtime.h>

#include "check.h"

__global__ void fill(int* out, int words) {
  extern __shared__ int smem[];
  for (int i = threadIdx.x; i < words; i += blockDim.x) smem[i] = i ^ 0x55;
  __syncthreads();
  int sum = 0;
  for (int i = threadIdx.x; i < words; i += blockDim.x) sum += smem[words - 1 - i] & 0xff;
  atomicAdd(out, sum);
}

template <int STATIC_WORDS>
__global__ void with_static(int* out) {
  __shared__ int fixed[STATIC_WORDS];
  extern __shared__ int dynamic[];
  fixed[threadIdx.x] = threadIdx.x;
  dynamic[threadIdx.x] = 2;
  __syncthreads();
  atomicAdd(out, fixed[blockDim.x - 1 - threadIdx.x] * dynamic[threadIdx.x]);
}

int expected_sum(int words) {
  int sum = 0;
  for (int i = 0; i < words; ++i) sum += (i ^ 0x55) & 0xff;
  return sum;
}

int main() {
  int optin = 0;
  CHECK_CUDA(cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  CHECK(optin >= 64 * 1024);
  const int limit = 48 * 1024;
  int* d_out = upload(std::vector<int>(1, 0));

  fill<<<1, 128, limit>>>(d_out, limit / 4);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_out, 1)[0], expected_sum(limit / 4));

  fill<<<1, 128, limit + 4>>>(d_out, limit / 4 + 1);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_CUDA(cudaDeviceSynchronize());
  CHECK_EQ(download(d_out, 1)[0], expected_sum(limit / 4));  // it did not run

  CHECK_CUDA(cudaFuncSetAttribute(fill, cudaFuncAttributeMaxDynamicSharedMemorySize, optin));
  for (int bytes : {limit + 4, 64 * 1024, optin}) {
    CHECK_CUDA(cudaMemset(d_out, 0, sizeof(int)));
    fill<<<2, 128, bytes>>>(d_out, bytes / 4);
    CHECK_LAUNCH();
    CHECK_EQ(download(d_out, 1)[0], 2 * expected_sum(bytes / 4));
  }
  fill<<<1, 128, optin + 4>>>(d_out, 1);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_ERROR(
      cudaFuncSetAttribute(fill, cudaFuncAttributeMaxDynamicSharedMemorySize, optin + 1),
      cudaErrorInvalidValue);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);

  // Static and dynamic memory count together, and the permission is each kernel's own.
  const int rest = limit - 1024 * 4;
  CHECK_CUDA(cudaMemset(d_out, 0, sizeof(int)));
  with_static<1024><<<1, 64, rest>>>(d_out);
  CHECK_LAUNCH();
  with_static<1024><<<1, 64, rest + 4>>>(d_out);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_CUDA(cudaFuncSetAttribute(
      with_static<1024>, cudaFuncAttributeMaxDynamicSharedMemorySize, optin - 1024 * 4));
  with_static<1024><<<1, 64, optin - 1024 * 4>>>(d_out);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_out, 1)[0], 2 * (2 * 64 * 63 / 2));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
