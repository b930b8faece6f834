// expect: error shared-race [A] [B]
// One thread publishes a member of a shared struct, the others read it in the same interval; the
// member beside it was published before the barrier.
#include "../device_array.h"

struct Plan {
  int first;
  int count;
};

__global__ void follow(int* out) {
  __shared__ Plan plan;
  if (threadIdx.x == 0) {
    plan.first = 3;
    plan.count = 1;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    plan.count = 7;  // [A]
  }
  const int count = plan.count;  // [B]
  out[threadIdx.x] = plan.first + count;
}

int main() {
  DeviceArray<int> out(64);
  follow<<<1, 64>>>(out);
  return finish();
}
