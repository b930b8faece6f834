// expect: warning early-return [A]
// One warp finds nothing more to do and returns from the second round of a loop with a barrier.
#include "../device_array.h"

__device__ bool has_work(int round) { return round < 1 || threadIdx.x / 32 != 2; }

__global__ void rounds(int* out, int n) {
  for (int r = 0; r < n; ++r) {
    if (!has_work(r)) return;
    out[threadIdx.x] += r;
    __syncthreads();  // [A]
  }
}

int main() {
  DeviceArray<int> out(96);
  rounds<<<1, 96>>>(out, 3);
  return finish();
}
