// expect: error divergent-barrier [A] [B]
// A voting barrier and a plain one do not complete each other; one block of four is wrong.
#include "../device_array.h"

template <bool COUNT>
__global__ void vote(int* out) {
  if (COUNT && blockIdx.x == 2 && threadIdx.x >= 64) {
    const int n = __syncthreads_count(threadIdx.x % 2);  // [A]
    out[threadIdx.x] = n;
  } else {
    __syncthreads();  // [B]
  }
}

int main() {
  DeviceArray<int> out(96);
  vote<true><<<4, 96>>>(out.get());
  return finish();
}
