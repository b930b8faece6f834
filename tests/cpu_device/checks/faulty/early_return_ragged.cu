// expect: warning early-return [A]
// Threads past the end return before a barrier that the rest of their block reaches. GPUs accept
// it; CUDA's documentation does not promise that.
#include "../device_array.h"

__global__ void reverse(int* out, int n) {
  __shared__ int tile[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= n) return;
  tile[threadIdx.x] = i;
  __syncthreads();  // [A]
  const int count = min(64, n - static_cast<int>(blockIdx.x) * 64);
  out[i] = tile[count - 1 - threadIdx.x];
}

int main() {
  DeviceArray<int> out(150);
  reverse<<<3, 64>>>(out, 150);
  return finish();
}
