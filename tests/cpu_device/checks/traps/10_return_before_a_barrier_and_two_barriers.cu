// expect: warning early-return [A]
// expect: error divergent-barrier [B] [C]
// Threads that have returned do not keep the others at a barrier: a warning. Threads that wait at two different ones are
// an error that names both lines, and never a hang.
#include "counted.h"

__global__ void returns_early(int* out, int n) {
  if (static_cast<int>(threadIdx.x) >= n) return;
  __syncthreads();  // [A]
  out[threadIdx.x] = 1;
}

__global__ void two_barriers(int* out) {
  if (threadIdx.x < 32) {
    __syncthreads();  // [B]
    out[threadIdx.x] = 2;
  } else {
    __syncthreads();  // [C]
    out[threadIdx.x] = 3;
  }
}

int main() {
  DeviceVector<int> out(64);
  returns_early<<<1, 64>>>(out, 50);
  CHECK_LAUNCH();
  two_barriers<<<1, 64>>>(out);
  CHECK_EQ(cudaDeviceSynchronize() != cudaSuccess, true);
  return check_result();
}
