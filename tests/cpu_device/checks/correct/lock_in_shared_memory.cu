// A lock in shared memory: one thread per warp enters and changes plain shared values.
#include "../device_vector.h"

__global__ void add_up(int* out) {
  __shared__ int mutex, sum, entries;
  if (threadIdx.x == 0) {
    mutex = 0;
    sum = 0;
    entries = 0;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    while (atomicCAS(&mutex, 0, 1) != 0) {
    }
    __threadfence_block();
    sum = sum + threadIdx.x;
    entries = entries + 1;
    __threadfence_block();
    atomicExch(&mutex, 0);
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = 1000 * entries + sum;
}

int main() {
  DeviceVector<int> out(3);
  add_up<<<3, 128>>>(out);
  CHECK_LAUNCH();
  for (int value : out.host()) CHECK_EQ(value, 4000 + 32 + 64 + 96);
  return check_result();
}
