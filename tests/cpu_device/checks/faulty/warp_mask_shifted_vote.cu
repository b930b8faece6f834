// expect: error warp-mask [A]
// The mask for the lanes up to mine is one bit short: it leaves the caller out.
#include "../device_array.h"

template <typename Predicate>
__device__ bool all_below(Predicate predicate) {
  const unsigned below = (1u << threadIdx.x % 32) - 1;
  return __all_sync(below, predicate(threadIdx.x)) != 0;  // [A]
}

struct IsSmall {
  __device__ bool operator()(int i) const { return i < 40; }
};

__global__ void check(int* out) {
  if (threadIdx.x == 41) out[threadIdx.x] = all_below(IsSmall());
}

int main() {
  DeviceArray<int> out(64);
  check<<<1, 64>>>(out);
  return finish();
}
