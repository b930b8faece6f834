// expect: error missing-lanes [A] [B]
// A warp sum in a template is called with a full mask by the lanes that have data; the others wait
// for the whole warp at its end. Only the ragged last warp of the last block is wrong.
#include "../device_array.h"

template <int WIDTH>
__device__ int warp_sum(int value) {
  for (int d = WIDTH / 2; d > 0; d /= 2) {
    value += __shfl_xor_sync(0xffffffff, value, d);  // [A]
  }
  return value;
}

__global__ void sums(int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  int sum = 0;
  if (i < n) sum = warp_sum<32>(i);
  __syncwarp();  // [B]
  if (i < n) out[i] = sum;
}

int main() {
  DeviceArray<int> out(200);
  sums<<<4, 64>>>(out, 200);
  return finish();
}
