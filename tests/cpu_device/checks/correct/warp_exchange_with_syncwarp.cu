// Lanes exchange values through shared memory; __syncwarp orders both directions.
#include "../device_vector.h"

__global__ void rotate(int* out, int rounds) {
  __shared__ int slots[4][32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int value = threadIdx.x;
  for (int r = 0; r < rounds; ++r) {
    slots[warp][lane] = value;
    __syncwarp();
    value = slots[warp][(lane + 1) % 32];
    __syncwarp();
  }
  out[threadIdx.x] = value;
}

int main() {
  DeviceVector<int> out(128);
  rotate<<<1, 128>>>(out, 5);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(seen[i], i / 32 * 32 + (i % 32 + 5) % 32);
  return check_result();
}
